"""Who may talk to the kubelet: a certificate of the cluster's CA or a bearer token, then an access review.

As upstream with `--authorization-mode=Webhook`, paths map to subresources of the node.
"""

from __future__ import annotations

from typing import Any

from pybernetes.api.types import authorization_v1
from pybernetes.client import Client, reviews
from pybernetes.kits import clock as clocks
from pybernetes.kubelet import settings as kubelet_settings

MASTERS = "system:masters"
ANONYMOUS = reviews.User("system:anonymous", groups=("system:unauthenticated",))
# Upstream's cache lifetimes, in seconds.
AUTHENTICATED_FOR, ALLOWED_FOR, DENIED_FOR = 120.0, 300.0, 30.0
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


def user_of(certificate: dict[str, Any] | None) -> reviews.User | None:
    """Common name and organisations of a verified client certificate."""
    if not certificate:
        return None
    pairs = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for key, value in pairs if key == "commonName"]
    groups = tuple(value for key, value in pairs if key == "organizationName")
    return reviews.User(names[0], groups=(*groups, "system:authenticated")) if names else None


class Access:
    def __init__(self, client: Client, settings: kubelet_settings.Settings, *, clock: clocks.Clock) -> None:
        self._settings = settings
        self._reviews = reviews.Reviews(
            client, clock=clock, authenticated_for=AUTHENTICATED_FOR, allowed_for=ALLOWED_FOR, denied_for=DENIED_FOR
        )

    async def check(
        self, *, method: str, path: str, certificate: dict[str, Any] | None, authorization: str
    ) -> reviews.User:
        """Raises Refused."""
        user = user_of(certificate)
        if user is None and authorization[:7].lower() == "bearer " and self._settings.tokens:
            # Who shows a token that is none is nobody, whether nobody may come in or not.
            user = await self._reviews.user(authorization[7:].strip())
        elif user is None and self._settings.anonymous:
            user = ANONYMOUS
        if user is None:
            raise Refused(401, "Unauthorized")
        if MASTERS in user.groups or not self._settings.authorizes:
            return user
        verb = _VERBS.get(method, "")
        wanted = subresources(path)
        for subresource in wanted:
            asked = authorization_v1.ResourceAttributes(
                verb=verb, version="v1", resource="nodes", subresource=subresource, name=self._settings.node_name
            )
            if (await self._reviews.on_resource(user, asked)).allowed:
                return user
        listed = " ".join(wanted)
        raise Refused(403, f"Forbidden (user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{listed}])\n")
