"""Users from verified client certificates: common name is the user, organizations are its groups."""

from __future__ import annotations

from typing import Any

from pybernetes.apiserver import request as requests


def user(peer_certificate: dict[str, Any] | None) -> requests.User | None:
    """The user of `SSLObject.getpeercert()`; None without a certificate or common name.

    The TLS layer has verified the chain against the client CA; it asks for certificates but does not insist.
    """
    name = ""
    groups = []
    for attributes in (peer_certificate or {}).get("subject", ()):
        for key, value in attributes:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.append(value)
    if not name:
        return None
    return requests.User(name, groups=(*groups, "system:authenticated"))
