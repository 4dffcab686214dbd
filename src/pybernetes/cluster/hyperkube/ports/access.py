"""Who may see what a component serves: it asks the API server, as upstream's delegated authentication does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pybernetes import client as clients
from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer
from pybernetes.client import reviews
from pybernetes.kits import clock as clocks

MASTERS = "system:masters"


class Access:
    """`authentication` and `authorization` are clients of who is asked; without the first, tokens say nothing, without
    the second, few may see anything. `given` are the flags."""

    def __init__(
        self,
        given: Mapping[str, Any],
        *,
        authentication: clients.Client | None,
        authorization: clients.Client | None,
        clock: clocks.Clock,
    ) -> None:
        self._paths = [path.removeprefix("/") for path in given["authorization-always-allow-paths"]]
        self._given, self._clock = given, clock
        self._users = None if authentication is None else self._reviews(authentication)
        self._rights = None if authorization is None else self._reviews(authorization)

    async def check(self, request: requests.Request) -> None:
        """Raises StatusError 401 and 403."""
        user = await self._user(request)
        if self._is_open(request.path) or MASTERS in user.groups:
            return
        decision = reviews.Decision(False)
        if self._rights is not None:
            asker = reviews.User(user.name, user.uid, user.groups)
            decision = await self._rights.on_path(asker, request.attributes.verb, request.path)
        if not decision.allowed:
            raise authorizer.refusal(user, requests.Attributes(request.attributes.verb, request.path), decision.reason)

    async def _user(self, request: requests.Request) -> requests.User:
        if request.certificate_user is not None:
            return request.certificate_user
        kind, _, token = request.header("authorization").partition(" ")
        if self._users is None or kind.lower() != "bearer" or not token.strip():
            return requests.ANONYMOUS
        user = await self._users.user(token.strip())
        if user is None:
            raise errors.unauthorized()
        return requests.User(user.name, user.uid, user.groups)

    def _is_open(self, path: str) -> bool:
        asked = path.removeprefix("/")
        return any(
            asked.startswith(allowed[:-1]) if allowed.endswith("*") else asked == allowed for allowed in self._paths
        )

    def _reviews(self, client: clients.Client) -> reviews.Reviews:
        given = self._given
        return reviews.Reviews(
            client,
            clock=self._clock,
            authenticated_for=given["authentication-token-webhook-cache-ttl"],
            allowed_for=given["authorization-webhook-cache-authorized-ttl"],
            denied_for=given["authorization-webhook-cache-unauthorized-ttl"],
        )
