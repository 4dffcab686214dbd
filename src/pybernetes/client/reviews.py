"""Who somebody is and what he may do, asked of the API server: TokenReview and SubjectAccessReview, remembered a while.

For every component that serves something itself and leaves it to the API server who may have it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from typing import Any, NamedTuple

from pybernetes.api import errors
from pybernetes.api.types import authentication_v1, authorization_v1
from pybernetes.client import client as clients
from pybernetes.kits import clock as clocks

MAX_KEPT = 1000
# How long an answer may take.
SECONDS = 10.0
NO_ANSWER = (errors.StatusError, ConnectionError, TimeoutError)


class User(NamedTuple):
    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()


class Decision(NamedTuple):
    """`reason` is the authorizer's, for those who are not allowed."""

    allowed: bool
    reason: str = ""


class Reviews:
    """Answers are remembered for so many seconds. An API server that does not answer is taken for a no."""

    def __init__(
        self,
        client: clients.Client,
        *,
        clock: clocks.Clock,
        authenticated_for: float,
        allowed_for: float,
        denied_for: float,
    ) -> None:
        self._client, self._clock = client, clock
        self._authenticated_for, self._allowed_for, self._denied_for = authenticated_for, allowed_for, denied_for
        self._users: dict[str, tuple[float, User]] = {}
        self._decisions: dict[Hashable, tuple[float, Decision]] = {}

    async def user(self, token: str) -> User | None:
        """Whose bearer token it is; None for nobody's."""
        key = hashlib.sha256(token.encode()).hexdigest()
        now = self._clock.monotonic()
        known = self._users.get(key)
        if known is not None and known[0] > now:
            return known[1]
        review = authentication_v1.TokenReview(spec=authentication_v1.TokenReviewSpec(token=token))
        try:
            async with self._clock.timeout(SECONDS):
                answer = await self._client.create(review)
        except NO_ANSWER:
            return None
        if not answer.status.authenticated:
            return None
        told = answer.status.user
        user = User(told.username, told.uid, tuple(told.groups))
        _bound(self._users)
        self._users[key] = now + self._authenticated_for, user
        return user

    async def on_resource(self, user: User, attributes: authorization_v1.ResourceAttributes) -> Decision:
        """Whether the user may do that to a resource of the API."""
        at = attributes
        key = (user, at.verb, at.group, at.version, at.resource, at.subresource, at.namespace, at.name)
        return await self._decided(key, user, resourceAttributes=attributes)

    async def on_path(self, user: User, verb: str, path: str) -> Decision:
        """Whether the user may do that to a path that is no resource's."""
        attributes = authorization_v1.NonResourceAttributes(verb=verb, path=path)
        return await self._decided((user, verb, path), user, nonResourceAttributes=attributes)

    async def _decided(self, key: Hashable, user: User, **about: Any) -> Decision:
        now = self._clock.monotonic()
        known = self._decisions.get(key)
        if known is not None and known[0] > now:
            return known[1]
        spec = authorization_v1.SubjectAccessReviewSpec(user=user.name, uid=user.uid, groups=list(user.groups), **about)
        try:
            async with self._clock.timeout(SECONDS):
                answer = await self._client.create(authorization_v1.SubjectAccessReview(spec=spec))
        except NO_ANSWER:
            return Decision(False)
        decision = Decision(answer.status.allowed, answer.status.reason)
        _bound(self._decisions)
        self._decisions[key] = now + (self._allowed_for if decision.allowed else self._denied_for), decision
        return decision


def _bound(kept: dict[Any, Any]) -> None:
    """Nobody fills our memory with made-up names."""
    if len(kept) >= MAX_KEPT:
        kept.clear()
