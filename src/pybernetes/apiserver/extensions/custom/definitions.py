"""Carries CustomResourceDefinitions out: names, conditions, what is served, and what goes with a definition.

    stored definition -> names accepted -> kinds served -> conditions written -> ... -> deleted: instances, then itself

One task takes one definition at a time, so that names are given in order. Kinds are served before the condition says
so: who has seen `Established` finds them.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from pybernetes import client as clients
from pybernetes import store as stores
from pybernetes.api import codecs, errors, times
from pybernetes.api.types import apiextensions_v1
from pybernetes.apiserver import registry as registries
from pybernetes.apiserver.extensions.custom import approval, names
from pybernetes.apiserver.forwarding import webhooks as webhooks_
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import following, selection
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks as tasks_

if TYPE_CHECKING:
    from pybernetes.apiserver.extensions.custom import publishing

log = logging.getLogger(__name__)

Definition = apiextensions_v1.CustomResourceDefinition
GROUP, RESOURCE = "apiextensions.k8s.io", "customresourcedefinitions"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
# Between tries where the server itself refuses, in seconds.
RETRY_SECONDS = 1.0


class Definitions:
    """The controller. `client` writes statuses and deletes instances."""

    def __init__(
        self,
        registry: registries.Registry,
        store: stores.Store,
        *,
        webhooks: webhooks_.Webhooks,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._webhooks = webhooks
        self._registry = registry
        self._store = store
        self._clock = clock
        self._chance = chance
        self._client: clients.Client | None = None
        self._tasks = tasks_.Tasks()
        self._waiting: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._served: dict[str, publishing.Served] = {}
        self._emptying: set[str] = set()

    def start(self, client: clients.Client) -> None:
        """Serve at once what has been established before, and follow what is stored from now on."""
        self._client = client
        if (GROUP, "v1", RESOURCE) not in self._registry.kinds:
            return
        for item in self._stored.select(selection.EVERYTHING).items:
            definition = item.fresh(Definition)
            if names.is_true(definition, names.ESTABLISHED):
                self._serve(definition)
            self._look(item.name)
        following.follow(self._stored, lambda _, item: self._look(item.name))
        self._tasks.spawn(self._run(), name="custom resource definitions", vital=True)

    async def close(self) -> None:
        await self._tasks.close()

    @property
    def _stored(self) -> collections.Collection:
        return self._registry.collection(GROUP, RESOURCE)

    def warning(self, key: registries.Key) -> str:
        """What users of a version are to be warned of."""
        group, _, name = key
        served = self._served.get(f"{name}.{group}")
        return "" if served is None else served.warnings.get(key, "")

    def _look(self, name: str) -> None:
        self._waiting[name] = None
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                name = next(iter(self._waiting))
                del self._waiting[name]
                try:
                    await self._reconcile(name)
                except errors.StatusError as error:
                    if error.reason not in ("Conflict", "NotFound"):
                        log.warning("custom resource definition %s: %s", name, error)
                        self._look_again(name)
                except Exception:
                    log.exception("custom resource definition %s failed", name)
                    self._look_again(name)

    def _look_again(self, name: str) -> None:
        self._clock.call_later(RETRY_SECONDS, lambda: self._look(name))

    # -- one definition

    async def _reconcile(self, name: str) -> None:
        item = self._stored.get("", name)
        if item is None:
            self._withdraw(name)
            self._look_at_group(name.partition(".")[2], but=name)
            return
        definition: Definition = item.fresh(Definition)
        if definition.metadata.deletionTimestamp is not None and FINALIZER in definition.metadata.finalizers:
            await self._finalize(definition)
            return
        self._settle(definition)
        if names.is_true(definition, names.NAMES_ACCEPTED) or names.is_true(definition, names.ESTABLISHED):
            self._serve(definition)
            if not names.is_true(definition, names.ESTABLISHED):
                established = names.condition(
                    names.ESTABLISHED, True, "InitialNamesAccepted", "the initial names have been accepted"
                )
                names.set_condition(definition, established, self._now())
        before = item.peek(Definition).status
        if codecs.encode(definition.status) != codecs.encode(before):
            await self._write(definition)
            self._look_at_group(definition.spec.group, but=name)

    def _settle(self, definition: Definition) -> None:
        """Decide about the names, and tell about the approval of protected groups."""
        if codecs.encode(definition.spec.names) != codecs.encode(definition.status.acceptedNames) or not names.find(
            definition.status.conditions, names.NAMES_ACCEPTED
        ):
            decision = names.decide(definition, self._others(definition))
            definition.status.acceptedNames = decision.accepted
            names.set_condition(definition, decision.condition, self._now())
            if names.find(definition.status.conditions, names.ESTABLISHED) is None and not names.is_true(
                definition, names.NAMES_ACCEPTED
            ):
                refused = names.condition(names.ESTABLISHED, False, "NotAccepted", "not all names are accepted")
                names.set_condition(definition, refused, self._now())
        approved = approval.condition(definition)
        if approved is not None:
            names.set_condition(definition, approved, self._now())

    def _others(self, definition: Definition) -> list[Definition]:
        listed = (item.peek(Definition) for item in self._stored.select(selection.EVERYTHING).items)
        return [
            other
            for other in listed
            if other.spec.group == definition.spec.group and other.metadata.name != definition.metadata.name
        ]

    def _look_at_group(self, group: str, *, but: str) -> None:
        """Names have been taken or given back; those that lack some may have them now."""
        for item in self._stored.select(selection.EVERYTHING).items:
            if item.name != but and item.name.partition(".")[2] == group:
                self._look(item.name)

    # -- what is served

    def _serve(self, definition: Definition, *, terminating: bool = False) -> None:
        """Serve what the definition says, unless that is done already."""
        # Most clusters start without custom resources, and need not wait for what only those take.
        from pybernetes.apiserver.extensions.custom import publishing

        name = definition.metadata.name
        before = self._served.get(name)
        made_from = codecs.encode([definition.spec, definition.status.acceptedNames])
        if before is not None and before.made_from == made_from:
            if before.terminating != terminating:
                publishing.add_kinds(self._registry, definition, before, terminating=terminating)
            return
        converter = publishing.converter(definition, self._webhooks, self._chance)
        served = publishing.served(definition, self._store, converter, self._tasks, made_from=made_from)
        self._served[name] = served
        publishing.add_kinds(self._registry, definition, served, terminating=terminating)
        for key in before.collections.keys() - served.collections.keys() if before is not None else ():
            self._registry.remove(key)

    def _withdraw(self, name: str) -> None:
        served = self._served.pop(name, None)
        for key in served.collections if served is not None else ():
            self._registry.remove(key)
        self._emptying.discard(name)

    # -- going

    async def _finalize(self, definition: Definition) -> None:
        name = definition.metadata.name
        if not names.is_true(definition, names.ESTABLISHED):
            await self._release(definition, "NeverEstablished", "resource was never established")
            return
        self._serve(definition, terminating=True)
        collection = self._served[name].stored
        assert collection is not None
        if name not in self._emptying:
            words = "CustomResource deletion is in progress"
            going = names.condition(names.TERMINATING, True, "InstanceDeletionInProgress", words)
            names.set_condition(definition, going, self._now())
            definition = await self._write(definition)
            await collection.open()
            self._tell_when_empty(name, collection)
        if len(collection):
            try:
                await self._delete_instances(definition)
            except errors.StatusError as error:
                words = f"could not issue all deletes: {error}"
                failed = names.condition(names.TERMINATING, True, "InstanceDeletionFailed", words)
                names.set_condition(definition, failed, self._now())
                await self._write(definition)
                raise
        if not len(collection):
            await self._release(definition, "InstanceDeletionCompleted", "removed all instances")

    def _tell_when_empty(self, name: str, collection: collections.Collection) -> None:
        """When the last instance has gone, the definition is looked at again."""

        def changed(_: str) -> None:
            if not len(collection):
                self._look(name)

        self._emptying.add(name)
        following.follow(collection, lambda _, item: changed(item.name))

    async def _delete_instances(self, definition: Definition) -> None:
        """Through the API, so that finalizers hold what they are to hold."""
        assert self._client is not None
        name = definition.metadata.name
        served = self._served[name]
        # In the version that is stored, if it is served: then no conversion can stand in the way.
        by_stored = sorted(served.collections.items(), key=lambda pair: pair[1] is not served.stored)
        kind = next((self._registry.kinds[key] for key, _ in by_stored), None)
        assert served.stored is not None
        if kind is None:
            for item in served.stored.select(selection.EVERYTHING).items:
                await served.stored.remove(item)
            return
        resource = kind.resource
        found = served.stored.select(selection.EVERYTHING).items
        namespaces = {item.key.split("/")[-2] if resource.namespaced else "" for item in found}
        for namespace in sorted(namespaces):
            await self._client.delete_collection(resource, namespace)

    async def _release(self, definition: Definition, reason: str, message: str) -> None:
        """Let the definition go."""
        names.set_condition(definition, names.condition(names.TERMINATING, False, reason, message), self._now())
        definition.metadata.finalizers = [name for name in definition.metadata.finalizers if name != FINALIZER]
        await self._write(definition)

    async def _write(self, definition: Definition) -> Definition:
        assert self._client is not None
        return codecs.copy(await self._client.update_status(definition))

    def _now(self) -> str:
        return times.to_time(self._clock.time())
