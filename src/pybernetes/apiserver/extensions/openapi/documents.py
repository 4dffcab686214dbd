"""The documents: which there are, under which hash, and their bytes, made when first asked for and kept.

A document follows from the resources of its group and version, the schemas of custom kinds, and the versions of what
the rest comes from; a hash of these is its ETag, so that the index can be had without building anything. When kinds
come or go, only the documents they are in get another hash. Building takes a second or so of plain Python for all of
them: it is done in a thread.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import orjson

from pybernetes.api import errors, scheme, version
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.extensions import discovery
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.kits import clock as clocks

JSON = "application/json"
PROTOBUF_2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
# Upstream's own clients still ask for the first of these.
PROTOBUF_2_NAMES = ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", PROTOBUF_2)
V2, V3 = "/openapi/v2", "/openapi/v3"
TITLE = "Kubernetes"
# A document under its hash never changes; upstream says so for a year.
LASTING = 365 * 24 * 3600.0
_ROOTS = ("api", "apis", "version")


class Kinds(Protocol):
    """What the registry is asked."""

    generation: int
    kinds: dict[tuple[str, str, str], kinds.Kind[Any]]

    def resources(self) -> tuple[scheme.Resource, ...]: ...


class Part(NamedTuple):
    """What one document is made from: resources with the group and version that they are of, and custom kinds."""

    name: str
    group: str
    version: str
    resources: tuple[scheme.Resource, ...]
    custom: tuple[kinds.Kind[Any], ...]
    digest: str


class OpenApi:
    """`clock` dates how long an answer lasts."""

    def __init__(self, registry: Kinds, others: discovery.Remotes, clock: clocks.Clock) -> None:
        self._registry = registry
        self._others = others
        self._clock = clock
        self._generation = (-1, -1)
        self._parts: dict[str, Part] = {}
        self._said: dict[kinds.Kind[Any], str] = {}
        self._digest = ""
        self._index = b""
        self._kept: dict[tuple[str, str], bytes] = {}
        self._building: dict[tuple[str, str], asyncio.Task[bytes]] = {}

    async def answer(self, request: requests.Request) -> results.Document | None:
        """The document for a path, None if the path is not one of OpenAPI. Raises StatusError 406."""
        path = request.path.rstrip("/")
        if path not in (V2, V3) and not path.startswith(f"{V3}/"):
            return None
        self._follow()
        if path == V3:
            return _validated(request, self._index, JSON, _digest(self._index), ())
        if path == V2:
            return await self._version_2(request)
        return await self._version_3(request, path.removeprefix(f"{V3}/"))

    async def _version_2(self, request: requests.Request) -> results.Document:
        form = _form(request, (JSON, *PROTOBUF_2_NAMES))
        headers = (("Vary", "Accept"),)
        parts = tuple(self._parts.values())
        key = (self._digest, PROTOBUF_2 if form != JSON else JSON)
        if _unchanged(request, self._digest):
            return _validated(request, b"", key[1], self._digest, headers)
        body = await self._built(key, functools.partial(_build_2, parts, binary=form != JSON))
        return _validated(request, body, key[1], key[0], headers)

    async def _version_3(self, request: requests.Request, name: str) -> results.Document | None:
        part = self._parts.get(name)
        if part is None:
            return None
        _form(request, (JSON,))
        headers: tuple[tuple[str, str], ...] = (("Vary", "Accept"),)
        wanted = request.query.get("hash", "") if request.raw_query else ""
        if wanted and wanted != part.digest:
            location = f"{V3}/{name}?hash={part.digest}"
            return results.Document(b"", "text/html; charset=utf-8", 301, (*headers, ("Location", location)))
        if wanted:
            headers += (("Cache-Control", "public, immutable"), ("Expires", self._expiry()))
        if _unchanged(request, part.digest):
            return _validated(request, b"", JSON, part.digest, headers)
        body = await self._built((part.digest, JSON), functools.partial(_build_3, part))
        return _validated(request, body, JSON, part.digest, headers)

    def _expiry(self) -> str:
        from email import utils

        return utils.formatdate(self._clock.time() + LASTING, usegmt=True)

    async def _built(self, key: tuple[str, str], build: Callable[[], bytes]) -> bytes:
        found = self._kept.get(key)
        if found is not None:
            return found
        task = self._building.get(key)
        if task is None:
            task = self._building[key] = asyncio.ensure_future(asyncio.to_thread(build))
            task.add_done_callback(functools.partial(self._finished, key))
        # One client that goes away does not take the document from the others.
        return await asyncio.shield(task)

    def _finished(self, key: tuple[str, str], task: asyncio.Task[bytes]) -> None:
        del self._building[key]
        if not task.cancelled() and task.exception() is None:
            self._kept[key] = task.result()

    def _follow(self) -> None:
        """Take note of kinds that came or went."""
        generation = (self._registry.generation, self._others.generation)
        if self._generation == generation:
            return
        self._generation = generation
        # Schemas can be large: each is looked at once.
        self._said = {
            kind: self._said.get(kind) or _said(kind)
            for kind in self._registry.kinds.values()
            if kind.schema is not None
        }
        self._parts = _parts(self._registry, self._said)
        self._digest = _digest(*(part.digest for part in self._parts.values()))
        urls = {name: f"{V3}/{name}?hash={part.digest}" for name, part in self._parts.items()}
        for remote in self._others.remotes.values():
            if remote.openapi:
                urls[f"apis/{remote.group_version}"] = remote.openapi
        self._index = orjson.dumps({"paths": {name: {"serverRelativeURL": url} for name, url in urls.items()}})
        current = {self._digest, *(part.digest for part in self._parts.values())}
        self._kept = {key: body for key, body in self._kept.items() if key[0] in current}


def _form(request: requests.Request, offered: tuple[str, ...]) -> str:
    accept = request.header("accept") or "*/*"
    for clause in accept.split(","):
        media = clause.partition(";")[0].strip()
        if media in offered:
            return media
        if media in ("*/*", "application/*"):
            return JSON
    raise errors.not_acceptable(offered)


def _unchanged(request: requests.Request, etag: str) -> bool:
    known = request.header("if-none-match")
    return bool(known) and (known == "*" or f'"{etag}"' in known)


def _validated(
    request: requests.Request, body: bytes, media: str, etag: str, headers: tuple[tuple[str, str], ...]
) -> results.Document:
    code = 304 if _unchanged(request, etag) else 200
    return results.Document(b"" if code == 304 else body, media, code, (("ETag", f'"{etag}"'), *headers))


def _digest(*parts: str | bytes) -> str:
    joined = hashlib.sha512()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        joined.update(b"%d:%b" % (len(data), data))
    return joined.hexdigest().upper()


@functools.cache
def _sources() -> str:
    """The versions of what documents are made from, besides resources."""
    from importlib import metadata

    from pybernetes.apiserver.extensions.openapi import descriptions

    return f"{version.GIT_VERSION} {metadata.version('pybernetes')} {descriptions.version()}"


def _parts(registry: Kinds, said: Mapping[kinds.Kind[Any], str]) -> dict[str, Part]:
    groups: dict[tuple[str, str], tuple[list[scheme.Resource], list[kinds.Kind[Any]]]] = {}
    for resource in registry.resources():
        if resource.type_name or "/" in resource.name:
            parent = (resource.group, resource.version, resource.name.partition("/")[0])
            if parent in registry.kinds and registry.kinds[parent].schema is None:
                groups.setdefault((resource.group, resource.version), ([], []))[0].append(resource)
    for (group, api_version, _), kind in registry.kinds.items():
        if kind.schema is not None:
            groups.setdefault((group, api_version), ([], []))[1].append(kind)
    parts = {name: Part(name, "", "", (), (), _digest(_sources(), name)) for name in _ROOTS}
    for (group, api_version), (listed, custom) in groups.items():
        name = f"apis/{group}/{api_version}" if group else f"api/{api_version}"
        about = repr([(r.name, r.kind, r.verbs, r.kind_version) for r in listed])
        digest = _digest(_sources(), name, about, *(said[kind] for kind in custom))
        parts[name] = Part(name, group, api_version, tuple(listed), tuple(custom), digest)
        if group:
            name = f"apis/{group}"
            parts.setdefault(name, Part(name, group, "", (), (), _digest(_sources(), name)))
    return dict(sorted(parts.items()))


def _said(kind: kinds.Kind[Any]) -> str:
    """A hash of what a custom kind adds to the documents."""
    resource = kind.resource
    about = (resource.name, resource.kind, resource.namespaced, kind.has_status, kind.scale is not None)
    return _digest(orjson.dumps((about, tuple(kind.field_labels), kind.schema)))


def _build_3(part: Part) -> bytes:
    from pybernetes.apiserver.extensions.openapi import building

    return building.version_3(part)


def _build_2(parts: tuple[Part, ...], *, binary: bool) -> bytes:
    from pybernetes.apiserver.extensions.openapi import building

    return building.version_2_binary(parts) if binary else building.version_2(parts)
