"""Deletes objects whose owners are all gone, and carries out foreground and orphaning deletions.

The graph only says where to look. Before anything is written, the object and its owners are read from the server, so
that a cache that lags deletes nothing it should not.
"""

from __future__ import annotations

import asyncio
import collections
import logging
from typing import Any

from pybernetes.api import codecs, errors, scheme
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client import transport
from pybernetes.controllers import discovery
from pybernetes.controllers.context import Context
from pybernetes.controllers.garbage import graph
from pybernetes.informers import Loop

log = logging.getLogger(__name__)

NAME = "garbage-collector-controller"
WORKERS = 20
# The server is asked which resources it has come to serve when these change, and now and then in any case (seconds).
DEFINING = frozenset((("apiextensions.k8s.io", "customresourcedefinitions"), ("apiregistration.k8s.io", "apiservices")))
DISCOVER_SECONDS = 300.0
REMEMBERED_ABSENT = 500
# Events come by the thousand, are owned by nothing and expire by themselves.
IGNORED = frozenset((("", "events"), ("events.k8s.io", "events")))
NEEDED = frozenset(("delete", "list", "watch"))


class GarbageCollector:
    """The controller. Work items are `delete/<uid>` and `orphan/<uid>`."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(NAME)
        self._queue = context.queue(NAME)
        self._graph = graph.Graph()
        self._watched: dict[tuple[str, str], scheme.Resource] = {}
        self._kinds: dict[tuple[str, str], scheme.Resource] = {}
        self._absent: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._defined = asyncio.Event()

    async def run(self) -> None:
        self._graph = graph.Graph()
        self._watched.clear()
        await self._discover()
        workers = self._context.settings.workers.get(NAME, WORKERS)
        working = asyncio.ensure_future(
            Loop(NAME, self._queue, self.reconcile, workers=workers, clock=self._context.clock).run()
        )
        try:
            while not working.done():
                timer = self._context.clock.call_later(DISCOVER_SECONDS, self._defined.set)
                try:
                    await self._defined.wait()
                finally:
                    timer.cancel()
                self._defined.clear()
                try:
                    await self._discover()
                except (errors.StatusError, ConnectionError, TimeoutError) as error:
                    log.info("resources could not be discovered: %s", error)
        finally:
            working.cancel()
            await asyncio.wait([working])

    async def _discover(self) -> None:
        """Watch what the server has come to serve, and stop watching what it no longer does."""
        found, failures = await discovery.resources(self._client)
        self._kinds = {(r.api_version, r.kind): r for r in found}
        served = {(r.group, r.name): r for r in found if NEEDED.issubset(r.verbs) and (r.group, r.name) not in IGNORED}
        fresh = [resource for key, resource in served.items() if key not in self._watched]
        for resource in fresh:
            self._watch(resource)
        if not failures:
            for key in self._watched.keys() - served.keys():
                await self._context.informers.drop(self._watched.pop(key).metadata_only())
        for resource in fresh:
            await self._context.informers.of(resource.metadata_only()).wait_synced()

    def _watch(self, resource: scheme.Resource) -> None:
        self._watched[resource.group, resource.name] = resource
        defining = (resource.group, resource.name) in DEFINING

        def changed(old: Any, new: Any) -> None:
            if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
                self._gone(old.metadata.uid)
            if new is not None:
                self._look(self._graph.put(resource, new))
            if defining:
                self._defined.set()

        self._context.informers.of(resource.metadata_only()).on_change(changed)

    def _gone(self, uid: str) -> None:
        node = self._graph.nodes.get(uid)
        if node is not None and node.dependents:
            self._remember_absent(uid)
        self._look(self._graph.remove(uid))

    def _look(self, looks: graph.Looks) -> None:
        for uid in looks.delete:
            self._queue.add(f"delete/{uid}")
        for uid in looks.orphan:
            self._queue.add(f"orphan/{uid}")

    def _remember_absent(self, uid: str) -> None:
        self._absent[uid] = None
        self._absent.move_to_end(uid)
        if len(self._absent) > REMEMBERED_ABSENT:
            self._absent.popitem(last=False)

    async def reconcile(self, key: str) -> None:
        what, _, uid = key.partition("/")
        node = self._graph.nodes.get(uid)
        if node is None:
            return
        if what == "orphan":
            await self._orphan_dependents(node)
        else:
            await self._consider(node)

    async def _consider(self, node: graph.Node) -> None:
        """Delete the object if it should go."""
        if node.being_deleted and not node.deleting_dependents:
            return
        if not node.virtual and not node.owners and not node.deleting_dependents:
            return
        resource = self._resource_of(node)
        latest = await self._read(resource, node.name, node.namespace)
        if latest is None or latest.metadata.uid != node.uid:
            self._gone(node.uid)
        elif node.deleting_dependents:
            await self._wait_for_dependents(node, resource)
        elif latest.metadata.ownerReferences:
            await self._decide(node, resource, latest)

    def _resource_of(self, node: graph.Node) -> scheme.Resource:
        """Raises LookupError for a kind that the server does not have (or not yet)."""
        resource = node.resource or self._kinds.get((node.api_version, node.kind))
        if resource is None:
            raise errors.not_found("", f"{node.kind}.{node.api_version}", node.name)
        return resource

    async def _read(self, resource: scheme.Resource, name: str, namespace: str) -> Any:
        # A Resource is as good as a type here; what comes back has metadata only, which no type says.
        target: Any = resource.metadata_only()
        try:
            return await self._client.get(target, name, namespace if resource.namespaced else "")
        except errors.StatusError as error:
            if error.reason == "NotFound":
                return None
            raise

    async def _wait_for_dependents(self, node: graph.Node, resource: scheme.Resource) -> None:
        blocking = node.blocking_dependents()
        if not blocking:
            await self._remove_finalizer(node, resource, graph.FOREGROUND)
        for dependent in blocking:
            if not dependent.deleting_dependents:
                self._queue.add(f"delete/{dependent.uid}")

    async def _decide(self, node: graph.Node, resource: scheme.Resource, latest: Any) -> None:
        solid, dangling, waiting = await self._classify(node, latest)
        if solid is None:
            return
        if solid:
            if dangling or waiting:
                await self._set_owners(resource, latest, solid)
            return
        if waiting and node.dependents:
            if any(dependent.deleting_dependents for dependent in node.dependents.values()):
                # A cycle of foreground deletions would wait for itself: it must no longer hold up its owners.
                latest = await self._unblock(resource, latest)
            policy = "Foreground"
        elif graph.ORPHAN in latest.metadata.finalizers:
            policy = "Orphan"
        elif graph.FOREGROUND in latest.metadata.finalizers:
            policy = "Foreground"
        else:
            policy = "Background"
        meta = latest.metadata
        try:
            await self._client.delete(
                resource,
                meta.name,
                meta.namespace,
                propagation=policy,
                uid=meta.uid,
                revision=meta.resourceVersion,
            )
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            self._gone(node.uid)

    async def _classify(
        self, node: graph.Node, latest: Any
    ) -> tuple[list[meta_v1.OwnerReference] | None, list[meta_v1.OwnerReference], list[meta_v1.OwnerReference]]:
        """References to owners that (stay, are gone, wait for their dependents); None: a reference is senseless."""
        solid: list[meta_v1.OwnerReference] = []
        dangling: list[meta_v1.OwnerReference] = []
        waiting: list[meta_v1.OwnerReference] = []
        for reference in latest.metadata.ownerReferences:
            owner = None
            if reference.uid not in self._absent:
                resource = self._kinds.get((reference.apiVersion, reference.kind))
                if resource is None:
                    raise errors.not_found("", f"{reference.kind}.{reference.apiVersion}", reference.name)
                if resource.namespaced and not node.namespace:
                    self._complain(node, reference)
                    return None, [], []
                owner = await self._read(resource, reference.name, node.namespace)
            if owner is None or owner.metadata.uid != reference.uid:
                self._remember_absent(reference.uid)
                dangling.append(reference)
            elif owner.metadata.deletionTimestamp is not None and graph.FOREGROUND in owner.metadata.finalizers:
                waiting.append(reference)
            else:
                solid.append(reference)
        return solid, dangling, waiting

    def _complain(self, node: graph.Node, reference: meta_v1.OwnerReference) -> None:
        about = core_v1.ObjectReference(
            apiVersion=node.api_version, kind=node.kind, name=node.name, namespace=node.namespace, uid=node.uid
        )
        owner = f"{reference.apiVersion}/{reference.kind}, namespace: , name: {reference.name}, uid: {reference.uid}"
        message = f"ownerRef [{owner}] does not exist in namespace {node.namespace!r}"
        self._recorder.event(about, "Warning", "OwnerRefInvalidNamespace", message)

    async def _orphan_dependents(self, node: graph.Node) -> None:
        for dependent in list(node.dependents.values()):
            resource = self._resource_of(dependent)
            latest = await self._read(resource, dependent.name, dependent.namespace)
            if latest is None or latest.metadata.uid != dependent.uid:
                continue
            left = [reference for reference in latest.metadata.ownerReferences if reference.uid != node.uid]
            if len(left) != len(latest.metadata.ownerReferences):
                await self._set_owners(resource, latest, left)
        await self._remove_finalizer(node, self._resource_of(node), graph.ORPHAN)

    async def _unblock(self, resource: scheme.Resource, latest: Any) -> Any:
        copies = [codecs.copy(reference) for reference in latest.metadata.ownerReferences]
        for copy in copies:
            copy.blockOwnerDeletion = False
        return await self._set_owners(resource, latest, copies)

    async def _set_owners(
        self, resource: scheme.Resource, latest: Any, references: list[meta_v1.OwnerReference]
    ) -> Any:
        return await self._patch(resource, latest, {"ownerReferences": [codecs.to_tree(ref) for ref in references]})

    async def _remove_finalizer(self, node: graph.Node, resource: scheme.Resource, finalizer: str) -> None:
        latest = await self._read(resource, node.name, node.namespace)
        if latest is None or latest.metadata.uid != node.uid or finalizer not in latest.metadata.finalizers:
            return
        left = [known for known in latest.metadata.finalizers if known != finalizer]
        await self._patch(resource, latest, {"finalizers": left})

    async def _patch(self, resource: scheme.Resource, latest: Any, metadata: dict[str, Any]) -> Any:
        meta = latest.metadata
        # The revision guards what was just read: someone else may add an owner or a finalizer.
        patch = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resourceVersion, **metadata}}
        target: Any = resource.metadata_only()
        return await self._client.patch(target, meta.name, meta.namespace, patch, kind=transport.MERGE_PATCH)
