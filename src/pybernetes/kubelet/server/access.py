"""Who may talk to the kubelet: a certificate of the cluster's CA or a bearer token, then an access review.

As upstream with `--anonymous-auth=false --authorization-mode=Webhook`: paths map to subresources of the node.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from pybernetes.api.errors import StatusError
from pybernetes.api.types import authentication_v1, authorization_v1
from pybernetes.client import Client
from pybernetes.kits import clock as clocks

MASTERS = "system:masters"
# Upstream's cache lifetimes, in seconds.
AUTHENTICATED_FOR, ALLOWED_FOR, DENIED_FOR = 120.0, 300.0, 30.0
MAX_KEPT = 1000
_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SUBRESOURCES = (
    ("/stats", "stats"),
    ("/metrics", "metrics"),
    ("/logs", "log"),
    ("/checkpoint", "checkpoint"),
    ("/statusz", "statusz"),
    ("/healthz", "healthz"),
    ("/pods", "pods"),
    ("/configz", "configz"),
)
# Before the finer subresources came, `nodes/proxy` covered these; it still does.
_ALSO_PROXY = {"healthz", "pods", "configz", "statusz"}


class User(NamedTuple):
    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()


class Refused(Exception):
    """401 or 403, and the text to answer."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def subresources(path: str) -> list[str]:
    """Which of the node's subresources allow that path."""
    for prefix, name in _SUBRESOURCES:
        if path == prefix or path.startswith(prefix + "/"):
            return [name, "proxy"] if name in _ALSO_PROXY else [name]
    return ["proxy"]


def user_of(certificate: dict[str, Any] | None) -> User | None:
    """Common name and organisations of a verified client certificate."""
    if not certificate:
        return None
    pairs = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for key, value in pairs if key == "commonName"]
    groups = tuple(value for key, value in pairs if key == "organizationName")
    return User(names[0], groups=(*groups, "system:authenticated")) if names else None


class Access:
    def __init__(self, client: Client, node_name: str, *, clock: clocks.Clock) -> None:
        self._client, self._node_name, self._clock = client, node_name, clock
        self._users: dict[str, tuple[float, User]] = {}
        self._decisions: dict[tuple[User, str, str], tuple[float, bool]] = {}

    async def check(self, *, method: str, path: str, certificate: dict[str, Any] | None, authorization: str) -> User:
        """Raises Refused."""
        user = user_of(certificate)
        if user is None and authorization[:7].lower() == "bearer ":
            user = await self._by_token(authorization[7:].strip())
        if user is None:
            raise Refused(401, "Unauthorized")
        if MASTERS in user.groups:
            return user
        verb = _VERBS.get(method, "")
        wanted = subresources(path)
        for subresource in wanted:
            if await self._allowed(user, verb, subresource):
                return user
        listed = " ".join(wanted)
        raise Refused(403, f"Forbidden (user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{listed}])\n")

    async def _by_token(self, token: str) -> User | None:
        key = hashlib.sha256(token.encode()).hexdigest()
        now = self._clock.monotonic()
        known = self._users.get(key)
        if known is not None and known[0] > now:
            return known[1]
        review = authentication_v1.TokenReview(spec=authentication_v1.TokenReviewSpec(token=token))
        try:
            answer = await self._client.create(review)
        except (StatusError, ConnectionError):
            return None
        if not answer.status.authenticated:
            return None
        told = answer.status.user
        user = User(told.username, told.uid, tuple(told.groups))
        _bound(self._users)
        self._users[key] = now + AUTHENTICATED_FOR, user
        return user

    async def _allowed(self, user: User, verb: str, subresource: str) -> bool:
        key = (user, verb, subresource)
        now = self._clock.monotonic()
        known = self._decisions.get(key)
        if known is not None and known[0] > now:
            return known[1]
        review = authorization_v1.SubjectAccessReview(
            spec=authorization_v1.SubjectAccessReviewSpec(
                user=user.name,
                uid=user.uid,
                groups=list(user.groups),
                resourceAttributes=authorization_v1.ResourceAttributes(
                    verb=verb, version="v1", resource="nodes", subresource=subresource, name=self._node_name
                ),
            )
        )
        try:
            allowed = (await self._client.create(review)).status.allowed
        except (StatusError, ConnectionError):
            return False
        _bound(self._decisions)
        self._decisions[key] = now + (ALLOWED_FOR if allowed else DENIED_FOR), allowed
        return allowed


def _bound(kept: dict[Any, Any]) -> None:
    """Nobody fills our memory with made-up names."""
    if len(kept) >= MAX_KEPT:
        kept.clear()
