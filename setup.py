"""The build backend is hatchling; a Python that is too old is told so here, before pip tries for long.

(pip looks for versions of the dependencies first. One that knows no build backends runs this file.)
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("codeartifact-pipenv needs Python 3.10 or newer.")

from hatchling.build import *  # noqa: F403
