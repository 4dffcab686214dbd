"""Tokens that a server of one's own knows: it is sent a TokenReview, and its answers are kept for a while."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import Any

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import jwt, remote
from pybernetes.apiserver.forwarding import reviewers
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`kubeconfig` names the server; `ttl` is how many seconds answers are kept."""

    kubeconfig: pathlib.Path
    version: str = "v1"
    ttl: float = 120.0


class Webhook:
    """`audiences` are those of this server, which an answer that names none is for."""

    def __init__(
        self, settings: Settings, audiences: tuple[str, ...], *, clock: clocks.Clock, chance: chances.Chance
    ) -> None:
        self._settings = settings
        self._audiences = audiences
        self._reviewer = reviewers.Reviewer(settings.kubeconfig, clock=clock, chance=chance)

    async def ask(self, token: str, audiences: tuple[str, ...]) -> remote.Answer:
        """Raises InvalidToken."""
        wanted = audiences or self._audiences
        review = {
            "apiVersion": f"authentication.k8s.io/{self._settings.version}",
            "kind": "TokenReview",
            "metadata": {},
            "spec": {"token": token, **({"audiences": list(wanted)} if wanted else {})},
            "status": {"user": {}},
        }
        try:
            status = await self._reviewer.ask(review)
        except reviewers.ReviewError as error:
            raise jwt.InvalidToken(str(error)) from None
        if status.get("authenticated") is not True:
            why = status.get("error")
            return remote.Answer(None, (), self._settings.ttl, str(why) if why else "")
        told = [one for one in status.get("audiences") or () if isinstance(one, str)]
        good_for = tuple(one for one in (told or self._audiences) if one in wanted) if wanted else ()
        if wanted and not good_for:
            raise jwt.InvalidToken("webhook authenticator: token audiences are not those wanted")
        return remote.Answer(_user(status.get("user")), good_for, self._settings.ttl)

    def open(self) -> None:
        """Raises ValueError where the server is not named as it should be."""
        self._reviewer.open()

    async def close(self) -> None:
        await self._reviewer.close()


def _user(told: Any) -> requests.User:
    told = told if isinstance(told, dict) else {}
    extra = told.get("extra") if isinstance(told.get("extra"), dict) else {}
    groups = tuple(str(group) for group in told.get("groups") or ())
    if "system:authenticated" not in groups and "system:unauthenticated" not in groups:
        groups = (*groups, "system:authenticated")
    return requests.User(
        str(told.get("username") or ""),
        str(told.get("uid") or ""),
        groups,
        tuple(sorted((str(key), tuple(map(str, values or ()))) for key, values in (extra or {}).items())),
    )
