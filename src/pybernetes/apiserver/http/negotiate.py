"""Which form an answer takes: the Accept header, read once per distinct text."""

from __future__ import annotations

import functools
from typing import NamedTuple

from pybernetes.api import errors, scheme
from pybernetes.apiserver import request as requests

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
WHOLE = ""
TABLE = "Table"
PARTIAL = "PartialObjectMetadata"
PARTIAL_LIST = "PartialObjectMetadataList"
# Of built-in kinds, and of custom ones, which have no binary form.
OFFERED = (JSON, YAML, PROTOBUF)
OFFERED_CUSTOM = (JSON, YAML)
STREAM = ";stream=watch"


class Form(NamedTuple):
    """A media type and what the object is shown as."""

    media: str = JSON
    shown: str = WHOLE


PLAIN = Form()


def negotiates(path: str) -> bool:
    """Whether objects are answered there: discovery, health, metrics and logs have the form that they have.

    What other servers answer behind a `proxy` has theirs.
    """
    if not path.startswith(("/api/", "/apis/")) or path.endswith("/log"):
        return False
    return "/proxy" not in path or not requests.passes_through("GET", path)


def form(accept: str, path: str) -> Form:
    """The best form that the client accepts of what is at the path. Raises StatusError 406."""
    if accept in ("*/*", JSON, ""):
        return PLAIN
    return _form(accept, _offered(accept, path))


def streaming(accept: str, path: str) -> Form:
    """The same for a watch: YAML has no way to say where an event ends. Raises StatusError 406."""
    offered = tuple(media for media in _offered(accept, path) if media != YAML)
    try:
        return _form(accept, offered)
    except errors.StatusError:
        raise errors.not_acceptable([media + STREAM for media in offered]) from None


def untabled(accept: str, path: str) -> Form:
    """The same for what has no table. Raises StatusError 406."""
    return _form(accept, _offered(accept, path), False)


def _offered(accept: str, path: str) -> tuple[str, ...]:
    _, root, group, version, *_ = f"{path}/".split("/", 4)
    if root == "api":
        return OFFERED
    if group not in _built_in_groups():
        return OFFERED_CUSTOM
    return OFFERED if PROTOBUF not in accept or (group, version) in _with_messages() else OFFERED_CUSTOM


@functools.cache
def _built_in_groups() -> frozenset[str]:
    return frozenset(resource.group for resource in scheme.resources())


@functools.cache
def _with_messages() -> frozenset[tuple[str, str]]:
    """Groups and versions with a binary form: those from before 1.16 have none any more."""
    from pybernetes.api import protobuf

    return frozenset(
        (resource.group, resource.version)
        for resource in scheme.resources()
        if protobuf.message_name(resource.api_version, resource.kind) is not None
    )


@functools.lru_cache(maxsize=512)
def _form(accept: str, offered: tuple[str, ...], tables: bool = True) -> Form:
    choices = sorted((_clause(text) for text in accept.split(",")), key=lambda choice: -choice[0])
    for _, media, parameters in choices:
        if media in ("*/*", "application/*"):
            return PLAIN
        if media == "text/yaml":
            media = YAML
        if media not in offered:
            continue
        shown = parameters.get("as", WHOLE)
        if not shown:
            return Form(media)
        if parameters.get("g") != "meta.k8s.io" or parameters.get("v") not in ("v1", "v1beta1"):
            continue
        if shown in (PARTIAL, PARTIAL_LIST):
            return Form(media, PARTIAL)
        # Tables have no binary form.
        if shown == TABLE and media != PROTOBUF and tables:
            return Form(media, TABLE)
    raise errors.not_acceptable(offered)


def _clause(text: str) -> tuple[float, str, dict[str, str]]:
    media, *rest = (part.strip() for part in text.split(";"))
    parameters = {}
    quality = 1.0
    for part in rest:
        name, _, value = part.partition("=")
        if name == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
        else:
            parameters[name] = value
    return quality, media.lower(), parameters


def wants_websocket(request: requests.Request) -> bool:
    return request.header("upgrade").lower() == "websocket" and "upgrade" in request.header("connection").lower()
