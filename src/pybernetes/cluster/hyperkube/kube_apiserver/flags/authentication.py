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
    Flag(
        "service-account-jwks-uri",
        values.STRING,
        "",
        "Where else the keys of service-account tokens are served: the address that the discovery document names.",
        GROUP,
    ),
    Flag(
        "service-account-max-token-expiration",
        values.DURATION,
        0.0,
        "How long service-account tokens hold at most; longer ones are shortened. 0 for any.",
        GROUP,
    ),
    Flag(
        "service-account-extend-token-expiration",
        values.BOOL,
        True,
        "Tokens that pods get hold for a year, whatever they say, so that programs that never read them again go on.",
        GROUP,
    ),
    Flag(
        "enable-bootstrap-token-auth",
        values.BOOL,
        False,
        "Take the tokens that machines join with: Secrets of type bootstrap.kubernetes.io/token in kube-system.",
        GROUP,
    ),
    Flag(
        "authentication-config",
        values.STRING,
        "",
        "An AuthenticationConfiguration of apiserver.config.k8s.io/v1: identity providers, and who may come without "
        "credentials; in the place of --oidc-* and --anonymous-auth.",
        GROUP,
    ),
    Flag(
        "authentication-token-webhook-config-file",
        values.STRING,
        "",
        "A kubeconfig of a server that is asked about bearer tokens that nobody else knows.",
        GROUP,
    ),
    Flag(
        "authentication-token-webhook-version",
        values.STRING,
        "v1beta1",
        "The version of the TokenReviews it is sent: v1 or v1beta1.",
        GROUP,
    ),
    Flag("authentication-token-webhook-cache-ttl", values.DURATION, 120.0, "How long its answers are kept.", GROUP),
    Flag("oidc-issuer-url", values.STRING, "", "The identity provider whose tokens are taken (https).", GROUP),
    Flag("oidc-client-id", values.STRING, "", "Who its tokens must be meant for.", GROUP),
    Flag("oidc-ca-file", values.STRING, "", "The authority of its certificate; without it, the system's.", GROUP),
    Flag("oidc-username-claim", values.STRING, "sub", "The claim that is the user's name.", GROUP),
    Flag(
        "oidc-username-prefix",
        values.STRING,
        "",
        "What comes before it. If it is left out, the issuer and # for claims other than email; - for nothing.",
        GROUP,
    ),
    Flag("oidc-groups-claim", values.STRING, "", "The claim that is the user's groups.", GROUP),
    Flag("oidc-groups-prefix", values.STRING, "", "What comes before each of them.", GROUP),
    Flag("oidc-signing-algs", values.STRINGS, ["RS256"], "The algorithms that its tokens may be signed by.", GROUP),
    Flag(
        "oidc-required-claim",
        values.ARRAY,
        [],
        "A claim and the value that it must have: key=value. Repeat it for more.",
        GROUP,
    ),
    Flag(
        "requestheader-client-ca-file",
        values.STRING,
        "",
        "The authorities of servers in front of this one, whose headers say who a request is from.",
        GROUP,
    ),
    Flag(
        "requestheader-allowed-names",
        values.STRINGS,
        [],
        "The common names of their certificates; without any, all that the authority vouches for.",
        GROUP,
    ),
    Flag("requestheader-username-headers", values.STRINGS, [], "Headers with the user; X-Remote-User.", GROUP),
    Flag("requestheader-uid-headers", values.STRINGS, [], "Headers with his uid; X-Remote-Uid.", GROUP),
    Flag("requestheader-group-headers", values.STRINGS, [], "Headers with his groups; X-Remote-Group.", GROUP),
    Flag(
        "requestheader-extra-headers-prefix",
        values.STRINGS,
        [],
        "What headers with more about him begin with; X-Remote-Extra-.",
        GROUP,
    ),
)
