"""Which form an answer takes: the Accept header, read once per distinct text."""

from __future__ import annotations

import functools
from typing import NamedTuple

from pybernetes.api import errors, scheme

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
    """Whether objects are answered there: discovery, health, metrics and logs have the form that they have."""
    return path.startswith(("/api/", "/apis/")) and not path.endswith("/log")


def form(accept: str, path: str) -> Form:
    """The best form that the client accepts of what is at the path. Raises StatusError 406."""
    if accept in ("*/*", JSON, ""):
        return PLAIN
    return _form(accept, _offered(path))


def streaming(accept: str, path: str) -> Form:
    """The same for a watch: YAML has no way to say where an event ends. Raises StatusError 406."""
    offered = tuple(media for media in _offered(path) if media != YAML)
    try:
        return _form(accept, offered)
    except errors.StatusError:
        raise errors.not_acceptable([media + STREAM for media in offered]) from None


def untabled(accept: str, path: str) -> Form:
    """The same for what has no table. Raises StatusError 406."""
    return _form(accept, _offered(path), False)


def _offered(path: str) -> tuple[str, ...]:
    if path.startswith("/api/") or path.split("/", 3)[2] in _built_in_groups():
        return OFFERED
    return OFFERED_CUSTOM


@functools.cache
def _built_in_groups() -> frozenset[str]:
    return frozenset(resource.group for resource in scheme.resources())


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
