"""What the Secrets say that bootstrap tokens are kept in."""

from __future__ import annotations

import base64
import binascii
import datetime
import re

from pybernetes.api.types import core_v1

NAMESPACE = "kube-system"
TYPE = "bootstrap.kubernetes.io/token"
_NAME = re.compile(r"bootstrap-token-([a-z0-9]{6})")


def value(secret: core_v1.Secret, key: str) -> str:
    """A field as text; "" where there is none."""
    try:
        return base64.b64decode(secret.data.get(key, "")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def expires_in(secret: core_v1.Secret, now: float) -> float | None:
    """Seconds until the token is over, 0 or less: it is; None: never. What cannot be read is over."""
    told = value(secret, "expiration")
    if not told:
        return None
    try:
        at = datetime.datetime.fromisoformat(told)
    except ValueError:
        return 0.0
    return at.timestamp() - now if at.tzinfo is not None else 0.0


def for_signing(secret: core_v1.Secret, now: float) -> tuple[str, str] | None:
    """The id and the secret of a token that the cluster's information is to be signed with."""
    named = _NAME.fullmatch(secret.metadata.name)
    token_id, token_secret = value(secret, "token-id"), value(secret, "token-secret")
    if named is None or named[1] != token_id or not token_secret:
        return None
    left = expires_in(secret, now)
    if left is not None and left <= 0:
        return None
    return (token_id, token_secret) if value(secret, "usage-bootstrap-signing") == "true" else None
