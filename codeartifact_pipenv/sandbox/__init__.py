"""An AWS CodeArtifact on loopback, for demonstrations and tests.

Real clients meet it under the real host names, over TLS, through an HTTPS proxy that
listens on 127.0.0.1: nothing in them, and nothing in this package, knows of it. It ships
as the extra ``sandbox``; nothing at run time imports it.

Not promised by it, because AWS does not say: the text of refusals on the package endpoint,
what ``duration=0`` gives to long-lived keys (here: 12 hours), the answer to an upload where
publishing is blocked (here: 409) or to an old revision of a policy (here: a conflict), and how
long an unasked page of a list is (here: 50). Resource policies are kept, and not evaluated.
"""
