"""An AWS CodeArtifact on loopback, for demonstrations and tests.

Real clients meet it under the real host names, over TLS, through an HTTPS proxy that
listens on 127.0.0.1: nothing in them, and nothing in this package, knows of it. It ships
as the extra ``sandbox``; nothing at run time imports it.

Not promised by it, because AWS does not say: the text of refusals on the package endpoint,
what ``duration=0`` gives to long-lived keys (here: 12 hours), the answer to an upload where
publishing is blocked (here: 409) or to an old revision of a policy (here: a conflict), how
long an unasked page of a list is (here: 50), with which status files are redirected to S3
(here: not at all, or 302, or as asked), what was answered to clients that took no HTML before
JSON was spoken (here: HTML), and which fields of an upload must be there (here: those that
every client sends). Resource policies are kept, and not evaluated.
"""
