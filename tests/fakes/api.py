"""An API server in memory: a `Transport` with upstream's semantics of revisions, watches, finalizers and owners.

It has no admission, defaulting or validation: what a test creates is what it gets. `seed` puts objects in as they
are, status included; `fail` makes chosen calls fail; `calls` records every write.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pybernetes.api import codecs, errors, scheme, selectors, times
from pybernetes.api.types import autoscaling_v1, core_v1, meta_v1
from pybernetes.client import Call, Client, Event, Listing
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import Clock, VirtualClock

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"


class Stream:
    """One open watch."""

    def __init__(self, resource: scheme.Resource, wanted: Callable[[Any], bool], namespace: str) -> None:
        self.resource, self.wanted, self.namespace = resource, wanted, namespace
        self.events: collections.deque[Event] = collections.deque()
        self.failure: Exception | None = None
        self.ended = False
        self.arrived = asyncio.Event()

    def push(self, event: Event) -> None:
        if self.ended:
            return
        self.events.append(event)
        self.arrived.set()

    def end(self, failure: Exception | None = None) -> None:
        """Break the watch, as a restart of the server would."""
        self.ended, self.failure = True, failure
        self.arrived.set()

    async def next(self) -> list[Event]:
        while not self.events:
            if self.failure is not None:
                raise self.failure
            if self.ended:
                return []
            self.arrived.clear()
            await self.arrived.wait()
        batch = list(self.events)
        self.events.clear()
        return batch


class FakeApi:
    """The transport. `client()` gives a client over it."""

    in_process = False

    def __init__(self, *, clock: Clock | None = None, chance: Chance | None = None, watch_list: bool = True) -> None:
        self.clock = clock or VirtualClock()
        self.chance = chance or Chance(1)
        self.watch_list = watch_list
        self.revision = 100
        self.objects: dict[tuple[str, str], dict[tuple[str, str], Any]] = {}
        self.history: list[tuple[int, tuple[str, str], Event, Any]] = []
        self.compacted = 0
        self.streams: list[Stream] = []
        self.calls: list[Call] = []
        self.refuse: list[Callable[[Call], Exception | None]] = []
        # Path -> what answers for it and all below it, as an aggregated API would.
        self.served: dict[str, Callable[[Call], Any]] = {}
        # Groups to tell of besides the built-in ones.
        self.groups: list[dict[str, Any]] = []

    def client(self) -> Client:
        return Client(self)

    def fail(self, rule: Callable[[Call], Exception | None]) -> None:
        """Ask the rule before every call: what it returns is raised."""
        self.refuse.append(rule)

    def seed(self, *objects: Any) -> Any:
        """Store objects as they are, filling uid and creationTimestamp; answers the last one as stored."""
        stored = None
        for obj in objects:
            resource = scheme.by_type(type(obj))
            copy = codecs.copy(obj)
            self._complete(copy)
            known = self._table(resource).get(_place(copy))
            stored = self._store(resource, copy, "ADDED" if known is None else "MODIFIED", known)
        return stored

    def find(self, kind: type, name: str, namespace: str = "") -> Any:
        """The stored object, or None."""
        return self._table(scheme.by_type(kind)).get((namespace, name))

    def all(self, kind: type, namespace: str = "") -> list[Any]:
        return [obj for place, obj in self._table(scheme.by_type(kind)).items() if namespace in ("", place[0])]

    def change(self, obj: Any, edit: Callable[[Any], None]) -> Any:
        """Edit the stored object directly, as another writer would."""
        resource = scheme.by_type(type(obj))
        current = self._table(resource)[_place(obj)]
        copy = codecs.copy(current)
        edit(copy)
        return self._store(resource, copy, "MODIFIED", current)

    def remove(self, obj: Any) -> None:
        """Take an object out, whatever its finalizers."""
        self._remove(scheme.by_type(type(obj)), _place(obj))

    def break_watches(self, failure: Exception | None = None) -> None:
        for stream in list(self.streams):
            stream.end(failure)

    def compact(self) -> None:
        """Forget the history: watches from an older revision get 410."""
        self.compacted = self.revision
        self.history.clear()

    # The transport

    async def send(self, call: Call) -> Any:
        await asyncio.sleep(0)
        self._check(call)
        for prefix, answer in self.served.items():
            if call.path == prefix or call.path.startswith(f"{prefix}/"):
                return answer(call)
        is_raw = call.resource is None and not call.path.endswith("/scale")
        if call.path in ("/api", "/apis") or (is_raw and call.method == "GET"):
            return self._discover(call.path)
        resource, namespace, name, subresource = self._parse(call.path)
        if call.method != "GET":
            self.calls.append(call)
        if subresource == "scale":
            return self._scale(call, resource, namespace, name)
        if call.method == "GET":
            return self._shown(call.resource or resource, self._get(resource, namespace, name))
        if call.method == "POST":
            return self._post(call, resource, namespace, name, subresource)
        if call.method in ("PUT", "PATCH"):
            written = self._write(call, resource, namespace, name, subresource)
            return self._shown(call.resource or resource, written)
        if name:
            return self._delete(resource, namespace, name, call.body)
        for place, obj in list(self._table(resource).items()):
            if namespace in ("", place[0]) and _wanted(call)(obj):
                self._delete(resource, place[0], place[1], call.body)
        return {}

    async def list(self, call: Call) -> Listing:
        await asyncio.sleep(0)
        self._check(call)
        resource, namespace, _, _ = self._parse(call.path)
        wanted = _wanted(call)
        items = [
            self._shown(call.resource or resource, obj)
            for place, obj in self._table(resource).items()
            if namespace in ("", place[0]) and wanted(obj)
        ]
        return Listing(items=items, revision=str(self.revision))

    @asynccontextmanager
    async def watch(self, call: Call) -> AsyncIterator[Stream]:
        await asyncio.sleep(0)
        self._check(call)
        resource, namespace, _, _ = self._parse(call.path)
        wanted = _wanted(call)
        stream = Stream(call.resource or resource, wanted, namespace)
        if call.query.get("sendInitialEvents") == "true":
            if not self.watch_list:
                raise errors.invalid("meta.k8s.io", "ListOptions", "", [])
            for place, obj in self._table(resource).items():
                if namespace in ("", place[0]) and wanted(obj):
                    stream.push(Event("ADDED", self._shown(stream.resource, obj)))
            mark = stream.resource.type()
            mark.metadata.resourceVersion = str(self.revision)
            mark.metadata.annotations["k8s.io/initial-events-end"] = "true"
            stream.push(Event("BOOKMARK", mark))
        else:
            since = int(call.query.get("resourceVersion") or self.revision)
            if since < self.compacted:
                raise errors.expired(f"too old resource version: {since} ({self.compacted})")
            for revision, key, event, old in list(self.history):
                if revision > since and key == _key(resource):
                    self._notify(stream, event, old)
        self.streams.append(stream)
        try:
            yield stream
        finally:
            self.streams.remove(stream)

    async def close(self) -> None:
        self.break_watches()

    # Verbs

    def _check(self, call: Call) -> None:
        for rule in self.refuse:
            failure = rule(call)
            if failure is not None:
                raise failure

    def _post(self, call: Call, resource: scheme.Resource, namespace: str, name: str, subresource: str) -> Any:
        if subresource == "binding":
            pod = self._get(resource, namespace, name)
            if pod.spec.nodeName:
                raise errors.conflict("", "pods/binding", name, f"pod {name} is already assigned to node")

            def bind(copy: Any) -> None:
                copy.spec.nodeName = call.body.target.name
                scheduled = core_v1.PodCondition(type="PodScheduled", status="True", lastTransitionTime=self._now())
                copy.status.conditions = [c for c in copy.status.conditions if c.type != "PodScheduled"] + [scheduled]

            self.change(pod, bind)
            return call.body
        obj = codecs.copy(call.body)
        if resource.namespaced:
            obj.metadata.namespace = namespace
        self._complete(obj)
        if hasattr(obj, "spec"):
            obj.metadata.generation = 1
        if _place(obj) in self._table(resource):
            raise errors.already_exists(resource.group, resource.name, obj.metadata.name)
        return self._store(resource, obj, "ADDED", None)

    def _write(self, call: Call, resource: scheme.Resource, namespace: str, name: str, subresource: str) -> Any:
        current = self._get(resource, namespace, name)
        if call.method == "PATCH":
            tree = _merged(codecs.to_tree(current), codecs.to_tree(call.body))
            obj = codecs.from_tree(type(current), tree)
        else:
            obj = codecs.copy(call.body)
        given = obj.metadata.resourceVersion
        if given and given != current.metadata.resourceVersion:
            raise errors.modified(resource.group, resource.name, name)
        if subresource in ("status", "approval"):
            wanted, obj = obj, codecs.copy(current)
            obj.status, obj.metadata.annotations = wanted.status, wanted.metadata.annotations
            obj.metadata.finalizers = wanted.metadata.finalizers
        elif subresource == "finalize":
            wanted, obj = obj, codecs.copy(current)
            obj.spec.finalizers = wanted.spec.finalizers
        else:
            if scheme.by_name(resource.group, resource.version, f"{resource.name}/status") is not None:
                obj.status = codecs.copy(current).status
            obj.metadata.deletionTimestamp = current.metadata.deletionTimestamp
            obj.metadata.uid = current.metadata.uid
            obj.metadata.generation = current.metadata.generation
            if hasattr(obj, "spec") and codecs.encode(obj.spec) != codecs.encode(current.spec):
                obj.metadata.generation += 1
        obj.metadata.resourceVersion = current.metadata.resourceVersion
        if codecs.encode(obj) == codecs.encode(current):
            return current
        stored = self._store(resource, obj, "MODIFIED", current)
        going = stored.metadata.deletionTimestamp is not None and not stored.metadata.deletionGracePeriodSeconds
        if going and not _holders(stored):
            self._remove(resource, _place(stored))
        return stored

    def _scale(self, call: Call, resource: scheme.Resource, namespace: str, name: str) -> Any:
        """The scale of whatever counts its replicas, as a tree."""
        current = self._get(resource, namespace, name)
        if call.method == "PUT":
            if call.body.metadata.resourceVersion not in ("", current.metadata.resourceVersion):
                raise errors.modified(resource.group, resource.name, name)
            current = self.change(current, lambda copy: setattr(copy.spec, "replicas", call.body.spec.replicas))
        scale = autoscaling_v1.Scale(
            metadata=meta_v1.ObjectMeta(
                name=name, namespace=namespace, resourceVersion=current.metadata.resourceVersion
            ),
            spec=autoscaling_v1.ScaleSpec(replicas=current.spec.replicas or 0),
            status=autoscaling_v1.ScaleStatus(
                replicas=current.status.replicas or 0, selector=str(selectors.from_object(current.spec.selector))
            ),
        )
        return codecs.to_tree(scale)

    def _delete(
        self, resource: scheme.Resource, namespace: str, name: str, options: meta_v1.DeleteOptions | None
    ) -> Any:
        options = options or meta_v1.DeleteOptions()
        current = self._get(resource, namespace, name)
        conditions = options.preconditions
        if conditions is not None:
            for want, have in (
                (conditions.uid, current.metadata.uid),
                (conditions.resourceVersion, current.metadata.resourceVersion),
            ):
                if want is not None and want != have:
                    raise errors.conflict(resource.group, resource.name, name, "the precondition does not hold")
        copy = codecs.copy(current)
        finalizers = [f for f in copy.metadata.finalizers if f not in (ORPHAN, FOREGROUND)]
        if options.propagationPolicy == "Orphan":
            finalizers.append(ORPHAN)
        elif options.propagationPolicy == "Foreground":
            finalizers.append(FOREGROUND)
        elif options.propagationPolicy is None:
            finalizers = copy.metadata.finalizers
        copy.metadata.finalizers = finalizers
        grace = 0
        if resource.name == "pods" and current.spec.nodeName and current.status.phase not in ("Succeeded", "Failed"):
            grace = current.spec.terminationGracePeriodSeconds or 0
            grace = grace if options.gracePeriodSeconds is None else options.gracePeriodSeconds
        if not _holders(copy) and not grace:
            self._remove(resource, (namespace, name))
            return {}
        if copy.metadata.deletionTimestamp is None:
            copy.metadata.deletionTimestamp = times.to_time(self.clock.time() + grace)
            if resource.name == "pods":
                copy.metadata.deletionGracePeriodSeconds = grace
            if resource.name == "namespaces":
                copy.status.phase = "Terminating"
        if codecs.encode(copy) != codecs.encode(current):
            self._store(resource, copy, "MODIFIED", current)
        return {}

    # What is stored

    def _table(self, resource: scheme.Resource) -> dict[tuple[str, str], Any]:
        return self.objects.setdefault(_key(resource), {})

    def _get(self, resource: scheme.Resource, namespace: str, name: str) -> Any:
        found = self._table(resource).get((namespace, name))
        if found is None:
            raise errors.not_found(resource.group, resource.name, name)
        return found

    def _now(self) -> str:
        return times.to_time(self.clock.time())

    def _complete(self, obj: Any) -> None:
        meta = obj.metadata
        if meta.generateName and not meta.name:
            meta.name = meta.generateName + self.chance.suffix()
        meta.uid = meta.uid or self.chance.uuid()
        meta.creationTimestamp = meta.creationTimestamp or self._now()

    def _store(self, resource: scheme.Resource, obj: Any, what: str, old: Any) -> Any:
        self.revision += 1
        obj.metadata.resourceVersion = str(self.revision)
        self._table(resource)[_place(obj)] = obj
        self._tell(resource, Event(what, obj), old)
        return obj

    def _remove(self, resource: scheme.Resource, place: tuple[str, str]) -> None:
        last = codecs.copy(self._table(resource).pop(place))
        self.revision += 1
        last.metadata.resourceVersion = str(self.revision)
        self._tell(resource, Event("DELETED", last), last)

    def _tell(self, resource: scheme.Resource, event: Event, old: Any) -> None:
        self.history.append((self.revision, _key(resource), event, old))
        for stream in self.streams:
            if _key(stream.resource) == _key(resource):
                self._notify(stream, event, old)

    def _notify(self, stream: Stream, event: Event, old: Any) -> None:
        obj = event.object
        if stream.namespace not in ("", obj.metadata.namespace):
            return
        now = event.type != "DELETED" and stream.wanted(obj)
        before = old is not None and stream.wanted(old)
        if not now and not before:
            return
        what = ("MODIFIED" if before else "ADDED") if now else "DELETED"
        stream.push(Event(what, self._shown(stream.resource, obj)))

    def _shown(self, resource: scheme.Resource, obj: Any) -> Any:
        if not resource.partial:
            return obj
        tree = {"metadata": codecs.to_tree(obj.metadata)}
        return codecs.from_tree(resource.type, tree)

    def _parse(self, path: str) -> tuple[scheme.Resource, str, str, str]:
        """A path as (resource, namespace, name, subresource)."""
        parts = path.strip("/").split("/")
        group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        rest = [*rest, "", ""]
        resource = scheme.by_name(group, version, rest[0])
        if resource is None:
            raise errors.path_not_found()
        return resource, namespace, rest[1], rest[2]

    def _discover(self, path: str) -> Any:
        versions = {(r.group, r.version) for r in scheme.resources()}
        if path == "/apis":
            groups = sorted({group for group, _ in versions if group})
            return {
                "groups": [
                    {
                        "name": group,
                        "versions": [{"groupVersion": f"{group}/{v}", "version": v} for g, v in versions if g == group],
                        "preferredVersion": {"groupVersion": f"{group}/v1", "version": "v1"},
                    }
                    for group in groups
                    if (group, "v1") in versions
                ]
                + self.groups
            }
        parts = path.strip("/").split("/")
        group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
        return {
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": [
                {"name": r.name, "kind": r.kind, "namespaced": r.namespaced, "verbs": list(r.verbs)}
                for r in scheme.resources()
                if (r.group, r.version) == (group, version)
            ],
        }


def _key(resource: scheme.Resource) -> tuple[str, str]:
    return resource.group, resource.name


def _place(obj: Any) -> tuple[str, str]:
    return obj.metadata.namespace, obj.metadata.name


def _holders(obj: Any) -> list[str]:
    """What keeps an object from going: finalizers of its metadata, and of a namespace's spec."""
    return [*obj.metadata.finalizers, *getattr(getattr(obj, "spec", None), "finalizers", [])]


def _wanted(call: Call) -> Callable[[Any], bool]:
    labels = selectors.parse(call.query.get("labelSelector", ""))
    terms = [term for term in call.query.get("fieldSelector", "").split(",") if term]

    def matches(obj: Any) -> bool:
        if not labels.matches(obj.metadata.labels):
            return False
        for term in terms:
            path, equal, value = term.partition("!=") if "!=" in term else term.partition("=")
            found: Any = obj
            for part in path.split("."):
                found = getattr(found, part)
            if (found == value) is (equal == "!="):
                return False
        return True

    return matches


def _merged(tree: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(tree) if isinstance(tree, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
