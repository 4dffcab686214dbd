"""Acting as somebody else: `Impersonate-*` headers, for those who may (`kubectl --as`)."""

from __future__ import annotations

from urllib.parse import unquote

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer as authorizers

USER = "impersonate-user"
UID = "impersonate-uid"
GROUP = "impersonate-group"
EXTRA = "impersonate-extra-"
SERVICE_ACCOUNT = "system:serviceaccount:"
AUTHENTICATION = "authentication.k8s.io"


class Impersonation:
    """Replaces `request.user`, if the real one may impersonate each part of what is asked for."""

    def __init__(self, authorizer: authorizers.Authorizer) -> None:
        self._authorizer = authorizer

    def check(self, request: requests.Request) -> None:
        for name in request.headers:
            if name.startswith("impersonate-"):
                request.user = _wanted(request, self._authorizer)
                return


def _wanted(request: requests.Request, authorizer: authorizers.Authorizer) -> requests.User:
    headers = request.headers
    name = headers.get(USER, "")
    groups = requests.repeated(headers.get(GROUP, ""))
    extra = {
        unquote(header.removeprefix(EXTRA)): requests.repeated(value)
        for header, value in headers.items()
        if header.startswith(EXTRA)
    }
    if not name:
        asked = [*groups, *extra, *([headers[UID]] if UID in headers else [])]
        raise errors.internal(f"requested {asked} without impersonating a user")

    def require(resource: str, value: str, *, namespace: str = "", subresource: str = "", group: str = "") -> None:
        attributes = requests.Attributes(
            "impersonate", request.path, group, "v1", namespace, resource, subresource, value
        )
        decision = authorizer.decide(request.user, attributes)
        if not decision.allowed:
            raise authorizers.refusal(request.user, attributes, decision.reason)

    account = _account(name)
    if account is not None:
        require("serviceaccounts", account[1], namespace=account[0])
        implied = ["system:serviceaccounts", f"system:serviceaccounts:{account[0]}"]
    else:
        require("users", name)
        implied = []
    for wanted in groups:
        require("groups", wanted)
    for key, values in extra.items():
        for value in values:
            require("userextras", value, subresource=key, group=AUTHENTICATION)
    uid = headers.get(UID, "")
    if uid:
        require("uids", uid, group=AUTHENTICATION)
    chosen = groups or implied
    marker = "system:unauthenticated" if name == requests.ANONYMOUS.name else "system:authenticated"
    if marker not in chosen:
        chosen = [*chosen, marker]
    return requests.User(name, uid, tuple(chosen), tuple(sorted((key, tuple(values)) for key, values in extra.items())))


def _account(name: str) -> tuple[str, str] | None:
    """(namespace, name) of a service account's user name."""
    if not name.startswith(SERVICE_ACCOUNT):
        return None
    namespace, separator, account = name.removeprefix(SERVICE_ACCOUNT).partition(":")
    return (namespace, account) if separator and namespace and account else None
