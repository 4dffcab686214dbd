"""Tokens that machines join a cluster with: `abcdef.0123456789abcdef`, kept as Secrets in kube-system."""

from __future__ import annotations

import base64
import binascii
import hmac
import re

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.storage import collection as collections
from pybernetes.kits import clock as clocks

NAMESPACE, PREFIX, TYPE = "kube-system", "bootstrap-token-", "bootstrap.kubernetes.io/token"
USER, GROUP = "system:bootstrap:", "system:bootstrappers"
_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")


class BootstrapTokens:
    def __init__(self, secrets: collections.Collection, *, clock: clocks.Clock) -> None:
        self._secrets, self._clock = secrets, clock

    def user(self, token: str) -> requests.User | None:
        """None for what is no such token, or not a good one; nobody is told which."""
        match = _TOKEN.fullmatch(token)
        item = self._secrets.get(NAMESPACE, f"{PREFIX}{match[1]}") if match is not None else None
        if match is None or item is None:
            return None
        secret: core_v1.Secret = item.decoded(core_v1.Secret)
        if secret.metadata.deletionTimestamp is not None or secret.type != TYPE:
            return None
        if not hmac.compare_digest(_text(secret, "token-secret").encode(), match[2].encode()):
            return None
        groups = _groups(secret)
        if _text(secret, "token-id") != match[1] or _is_expired(secret, self._clock.time()) or groups is None:
            return None
        if _text(secret, "usage-bootstrap-authentication") != "true":
            return None
        return requests.User(f"{USER}{match[1]}", groups=(*groups, "system:authenticated"))


def _text(secret: core_v1.Secret, key: str) -> str:
    try:
        return base64.b64decode(secret.data.get(key, "")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _is_expired(secret: core_v1.Secret, now: float) -> bool:
    text = _text(secret, "expiration")
    if not text:
        return False
    try:
        return times.parse(text) <= now
    except ValueError:
        # When it ends cannot be told, so it has.
        return True


def _groups(secret: core_v1.Secret) -> tuple[str, ...] | None:
    """None where one is named that these tokens cannot give."""
    extra = {group for group in _text(secret, "auth-extra-groups").split(",") if group}
    if any(not _GROUP.fullmatch(group) for group in extra):
        return None
    return tuple(sorted({GROUP, *extra}))
