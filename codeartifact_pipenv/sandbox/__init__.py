"""An AWS CodeArtifact on loopback, for demonstrations and tests.

Clients connect to the real host names, over TLS, through an HTTPS proxy on 127.0.0.1. Neither
they nor this package need a special case for it. It ships as the extra ``sandbox``; no other
module imports it at run time.

:class:`~codeartifact_pipenv.sandbox.behaviour.Behaviour` has a switch for each detail that AWS
does not document and that a client may notice. These details are guesses and may change: error
texts of the package endpoint, the answer to an outdated policy revision (a conflict), the default
page size of lists (50), and the required fields of an upload (those that every client sends).
"""
