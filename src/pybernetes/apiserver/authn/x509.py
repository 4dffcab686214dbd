"""Users from verified client certificates: common name is the user, organizations are its groups.

The TLS layer has verified that an authority vouches for it. Where there are two (clients' own, and that of the servers
in front), it is looked at which.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from typing import Any, NamedTuple

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import frontproxy

CREDENTIAL = "authentication.kubernetes.io/credential-id"
# A uid within a subject, of Kubernetes' own.
UID = "1.3.6.1.4.1.57683.2"


class Peer(NamedTuple):
    """Who is at the other end: a user, and whether he may say who he speaks for."""

    user: requests.User | None = None
    is_proxy: bool = False


NOBODY = Peer()
# Of a certificate that the listener has taken, but is none of a client's.
REFUSED = requests.User("")


class Peers:
    """`client_ca` is PEM; it matters where there is a `proxy`."""

    def __init__(self, client_ca: bytes = b"", proxy: frontproxy.Settings | None = None) -> None:
        self.trust(client_ca, proxy)
        self._replaced = False

    def trust(self, client_ca: bytes, proxy: frontproxy.Settings | None) -> None:
        """Raises ValueError for what is no PEM."""
        self._proxy = proxy
        self._client_ca = _certificates(client_ca)
        # Sessions that began before are resumed without a look at who vouched for them.
        self._replaced = True
        self._proxy_ca = _certificates(proxy.ca) if proxy is not None else []
        self.repeated: tuple[str, ...] = ("impersonate-", *(proxy.repeated if proxy is not None else ()))

    def of(self, tls: ssl.SSLObject | None) -> Peer:
        """Of an established connection; without TLS, or a certificate, nobody."""
        found = tls.getpeercert() if tls is not None else None
        der = tls.getpeercert(True) if tls is not None and found else None
        if not found or der is None:
            return NOBODY
        resumed = self._replaced and tls is not None and tls.session_reused
        if self._proxy is None and not resumed:
            return Peer(user(found, der))
        certificate = _certificate(der)
        if self._proxy is None:
            return Peer(user(found, der) if _is_by(certificate, self._client_ca) else REFUSED)
        allowed = self._proxy.allowed_names
        is_proxy = _is_by(certificate, self._proxy_ca) and (not allowed or _names(found, "commonName")[-1] in allowed)
        return Peer(user(found, der) if _is_by(certificate, self._client_ca) else REFUSED, is_proxy)


def user(peer_certificate: dict[str, Any], der: bytes) -> requests.User | None:
    """The user of `SSLObject.getpeercert()`; None without a common name, or with a uid that is none."""
    name = _names(peer_certificate, "commonName")[-1]
    uids = _names(peer_certificate, UID)
    if not name or len(uids) > 2 or (len(uids) == 2 and not uids[1]):
        return None
    groups = (*_names(peer_certificate, "organizationName")[1:], "system:authenticated")
    credential = f"X509SHA256={hashlib.sha256(der).hexdigest()}"
    return requests.User(name, uids[-1], groups, ((CREDENTIAL, (credential,)),))


def _names(peer_certificate: dict[str, Any], wanted: str) -> list[str]:
    """The subject's values of an attribute, after an empty one."""
    subject = peer_certificate.get("subject", ())
    return ["", *(value for attributes in subject for key, value in attributes if key == wanted)]


def _certificates(pem: bytes) -> list[Any]:
    from cryptography import x509

    return list(x509.load_pem_x509_certificates(pem)) if pem else []


def _certificate(der: bytes) -> Any:
    from cryptography import x509

    return x509.load_der_x509_certificate(der)


def _is_by(certificate: Any, authorities: Sequence[Any]) -> bool:
    """Whether one of them has issued it, without others in between."""
    from cryptography.exceptions import InvalidSignature

    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False
