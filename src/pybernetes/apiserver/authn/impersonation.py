"""Acting as somebody else: `Impersonate-*` headers, for those who may (`kubectl --as`).

There are several ways to be allowed it. The constrained ones take two rights, to be somebody of a kind
(`impersonate:user-info`), and to do what is asked for as one of them (`impersonate-on:user-info:list`). The one that
there always was takes the right to be somebody, for whatever may follow (`impersonate`).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import unquote

from pybernetes.api import errors, fields, names
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.resources import checks

USER = "impersonate-user"
UID = "impersonate-uid"
GROUP = "impersonate-group"
EXTRA = "impersonate-extra-"
SERVICE_ACCOUNT = "system:serviceaccount:"
NODE = "system:node:"
NODE_NAME = "authentication.kubernetes.io/node-name"
AUTHENTICATION = "authentication.k8s.io"
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
# Of so many groups or extras, the right to all is asked for first.
MANY = 4
REMEMBERED = 10_000


class Wanted(NamedTuple):
    """What the headers say."""

    name: str
    uid: str
    groups: tuple[str, ...]
    extra: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def is_only_a_name(self) -> bool:
        return not (self.uid or self.groups or self.extra)


class Mode(NamedTuple):
    """A way to be allowed it; `applies` says whether it is one for these wishes of this user."""

    name: str
    applies: Callable[[Wanted, requests.User], bool]

    @property
    def verb(self) -> str:
        return f"impersonate:{self.name}" if self.name else "impersonate"


def account(name: str) -> tuple[str, str] | None:
    """(namespace, name) of a service account's user name."""
    if not name.startswith(SERVICE_ACCOUNT):
        return None
    namespace, separator, short = name.removeprefix(SERVICE_ACCOUNT).partition(":")
    good = separator and not names.dns_label(namespace) and not names.dns_subdomain(short)
    return (namespace, short) if good else None


def node(name: str) -> str:
    """The node of a kubelet's user name; "" for other users."""
    short = name.removeprefix(NODE)
    return short if name.startswith(NODE) and not names.dns_subdomain(short) else ""


def _own_node(wanted: Wanted, user: requests.User) -> bool:
    """A service account wants to be the node that its pod runs on."""
    name = node(wanted.name)
    if not name or not wanted.is_only_a_name or account(user.name) is None:
        return False
    return dict(user.extra).get(NODE_NAME) == (name,)


MODES = (
    Mode("associated-node", _own_node),
    Mode("arbitrary-node", lambda wanted, _: wanted.is_only_a_name and bool(node(wanted.name))),
    Mode("serviceaccount", lambda wanted, _: wanted.is_only_a_name and account(wanted.name) is not None),
    Mode("user-info", lambda wanted, _: not node(wanted.name) and account(wanted.name) is None),
    Mode("", lambda _, __: True),
)


class Impersonation:
    """Replaces `request.user`, if the real one may impersonate each part of what is asked for."""

    def __init__(self, authorizer: authorizers.Authorizer) -> None:
        self._authorizer = authorizer
        # User -> the mode that did for him last, which is tried first.
        self._last: OrderedDict[str, Mode] = OrderedDict()

    def check(self, request: requests.Request) -> Awaitable[None] | None:
        # Hardly any request has one; this is the quickest way to know.
        if "impersonate-" not in "".join(request.headers):
            return None
        return self._impersonate(request)

    async def _impersonate(self, request: requests.Request) -> None:
        wanted = read(request.headers)
        if wanted is None:
            return
        user = request.user
        last = self._last.get(user.name)
        refused: errors.StatusError | None = None
        for mode in MODES if last is None else (last, *(mode for mode in MODES if mode is not last)):
            if not mode.applies(wanted, user):
                continue
            try:
                request.user = await _allowed(self._authorizer, mode, wanted, user, request.attributes)
            except errors.StatusError as error:
                refused = refused or error
                continue
            request.constraint = mode.verb if mode.name else ""
            self._last[user.name] = mode
            if len(self._last) > REMEMBERED:
                self._last.popitem(last=False)
            return
        if refused is not None:
            raise refused


def read(headers: dict[str, str]) -> Wanted | None:
    """None where no user is wanted. Raises StatusError where there is only what goes with one."""
    gathered: dict[str, list[str]] = {}
    for header, value in headers.items():
        if header.startswith(EXTRA):
            gathered.setdefault(unquote(header.removeprefix(EXTRA)), []).extend(value.split(requests.REPEATED))
    extra = tuple(sorted((key, tuple(values)) for key, values in gathered.items()))
    groups = tuple(headers[GROUP].split(requests.REPEATED)) if GROUP in headers else ()
    # What should be there once counts as it is there first.
    name, uid = (headers.get(header, "").partition(requests.REPEATED)[0] for header in (USER, UID))
    wanted = Wanted(name, uid, groups, extra)
    if name:
        return wanted
    if wanted.is_only_a_name:
        return None
    raise errors.bad_request(f"requested {_go(wanted)} without impersonating a user name")


async def _allowed(
    authorizer: authorizers.Authorizer,
    mode: Mode,
    wanted: Wanted,
    user: requests.User,
    attributes: requests.Attributes,
) -> requests.User:
    """Who the user may be. Raises StatusError 403."""
    constrained = bool(mode.name)
    if mode.name == "associated-node":
        # Which node it is, is known to be right: who may this, may it on all nodes.
        keys = tuple(sorted(key for key, _ in user.extra))
        user = user._replace(extra=(("authentication.kubernetes.io/associated-node-keys", keys),))
    if constrained:
        verb = f"impersonate-on:{mode.name}:{attributes.verb}"
        await authorizers.require(authorizer, user, attributes._replace(verb=verb))
    group = AUTHENTICATION if constrained else ""

    def asked(resource: str, name: str, *, namespace: str = "", subresource: str = "") -> requests.Attributes:
        own = AUTHENTICATION if resource in ("uids", "userextras") else group
        return requests.Attributes(mode.verb, "", own, "v1", namespace, resource, subresource, name)

    async def require(resource: str, name: str, *, namespace: str = "", subresource: str = "") -> None:
        question = asked(resource, name, namespace=namespace, subresource=subresource)
        await authorizers.require(authorizer, user, question)

    async def all_of(resource: str, count: int, subresource: str = "") -> bool:
        if not constrained or count < MANY:
            return False
        question = asked(resource, "*", subresource=subresource)
        return (await authorizers.decided(authorizer, user, question)).allowed

    implied = await _name(mode, wanted, require)
    if wanted.uid:
        await require("uids", wanted.uid)
    if constrained and (wrong := _forbidden_group(wanted.groups)) is not None:
        raise authorizers.refusal(user, asked("groups", wrong[0]), wrong[1])
    if not await all_of("groups", len(wanted.groups)):
        for name in wanted.groups:
            await require("groups", name)
    if constrained and (problem := _forbidden_extra(wanted.extra)):
        raise authorizers.refusal(user, asked("userextras", ""), problem)
    if not await all_of("userextras", sum(len(values) for _, values in wanted.extra), "*"):
        for key, values in wanted.extra:
            for value in values:
                await require("userextras", value, subresource=key)
    groups = wanted.groups or implied
    marker = UNAUTHENTICATED if wanted.name == requests.ANONYMOUS.name else AUTHENTICATED
    if marker not in groups and UNAUTHENTICATED not in groups:
        groups = (*groups, marker)
    return requests.User(wanted.name, wanted.uid, groups, wanted.extra)


async def _name(mode: Mode, wanted: Wanted, require: Callable[..., Awaitable[None]]) -> tuple[str, ...]:
    """The groups that go with the user's name."""
    found = account(wanted.name)
    if found is not None:
        await require("serviceaccounts", found[1], namespace=found[0])
        return "system:serviceaccounts", f"system:serviceaccounts:{found[0]}"
    short = node(wanted.name)
    if mode.name and short:
        await require("nodes", "*" if mode.name == "associated-node" else short)
        return ("system:nodes",)
    await require("users", wanted.name)
    return ()


def _forbidden_group(groups: tuple[str, ...]) -> tuple[str, str] | None:
    """(its name, why)."""
    if "" in groups:
        return "", "impersonating the empty string group is not allowed"
    if "system:masters" in groups:
        return "system:masters", "impersonating the system:masters group is not allowed"
    return None


def _forbidden_extra(extra: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    for key, values in extra:
        if not key:
            return "impersonating the empty string key in extra is not allowed"
        if wrong := checks.domain_prefixed_path(key, fields.Path("extra")["key"]):
            return f"impersonating an invalid key in extra is not allowed: {', '.join(map(str, wrong))}"
        if key != key.lower():
            return f"impersonating a non-lowercase key in extra is not allowed: {_quoted(key)}"
        if "" in values:
            return "impersonating the empty string value in extra is not allowed"
    return ""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _go(wanted: Wanted) -> str:
    """As Go shows its struct."""

    def texts(values: tuple[str, ...]) -> str:
        return f"[]string{{{', '.join(map(_quoted, values))}}}" if values else "[]string(nil)"

    pairs = ", ".join(f"{_quoted(key)}:{texts(values)}" for key, values in wanted.extra)
    extra = f"map[string][]string{{{pairs}}}" if pairs else "map[string][]string(nil)"
    return (
        f"&user.DefaultInfo{{Name:{_quoted(wanted.name)}, UID:{_quoted(wanted.uid)}, "
        f"Groups:{texts(wanted.groups)}, Extra:{extra}}}"
    )
