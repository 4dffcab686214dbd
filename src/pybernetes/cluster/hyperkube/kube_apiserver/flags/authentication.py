"""Flags: who is asking."""

from __future__ import annotations

from pybernetes.cluster.hyperkube import values
from pybernetes.cluster.hyperkube.flags import Flag

GROUP = "Authentication flags"

TABLE = (
    Flag(
        "anonymous-auth",
        values.BOOL,
        True,
        "Take requests without credentials as the user system:anonymous in the group system:unauthenticated. Off in "
        "any case where AlwaysAllow is an --authorization-mode.",
        GROUP,
    ),
    Flag(
        "client-ca-file",
        values.STRING,
        "",
        "The authorities whose client certificates are good: their common name is the user, their organizations are "
        "the groups.",
        GROUP,
    ),
    Flag(
        "token-auth-file",
        values.STRING,
        "",
        'Static bearer tokens: lines of token,user,uid,"group1,group2".',
        GROUP,
    ),
    Flag(
        "service-account-signing-key-file",
        values.STRING,
        "",
        "The RSA or ECDSA private key that signs service-account tokens. If it is left out, one is made in --cert-dir.",
        GROUP,
    ),
    Flag(
        "service-account-key-file",
        values.ARRAY,
        [],
        "RSA or ECDSA keys, private or public, whose service-account tokens are good; the signing key is one of them "
        "in any case. Repeat it for more files.",
        GROUP,
    ),
    Flag(
        "service-account-issuer",
        values.ARRAY,
        [],
        "The issuer of service-account tokens. Repeat it for others whose tokens are good. If it is left out, "
        "https://kubernetes.default.svc.cluster.local.",
        GROUP,
    ),
    Flag(
        "api-audiences",
        values.STRINGS,
        [],
        "What service-account tokens must be meant for. If it is left out, the first issuer.",
        GROUP,
    ),
)
