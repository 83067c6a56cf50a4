"""An AWS CodeArtifact on loopback, for demonstrations and tests.

Real clients meet it under the real host names, over TLS, through an HTTPS proxy that
listens on 127.0.0.1: nothing in them, and nothing in this package, knows of it. It ships
as the extra ``sandbox``; nothing at run time imports it.

What AWS does not say, and a client may notice, is a switch of
:class:`~codeartifact_pipenv.sandbox.behaviour.Behaviour`. Not promised besides: the text of
refusals on the package endpoint, the answer to an old revision of a policy (here: a conflict),
how long an unasked page of a list is (here: 50), and which fields of an upload must be there
(here: those that every client sends).
"""
