"""For a process of our own that ends within a second: it never needs to collect garbage."""

from __future__ import annotations

import atexit
import gc


def skip_collections() -> None:
    """Turn the cyclic garbage collector off, at exit too.

    Walking what botocore imports costs a tenth of a second, most of it at the interpreter's
    end. Never called inside another program's process, which the keyring backend is in.
    """
    gc.disable()
    atexit.register(gc.freeze)
