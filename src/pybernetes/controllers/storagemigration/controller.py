"""Carries StorageVersionMigrations out, one of a resource at a time.

    waiting -> Running -> status.resourceVersion -> every object up to it is applied as it is -> Succeeded or Failed
                                                                                              -> no longer Running

Each step ends in a write of the status, whose arrival in the cache is what the next one begins with. The resource's
definition says meanwhile that it is being migrated, and which versions are stored once it has been.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pybernetes.api import codecs, errors, scheme, times
from pybernetes.api.types import meta_v1, storagemigration_v1beta1
from pybernetes.client import APPLY_PATCH, Client
from pybernetes.controllers import discovery
from pybernetes.controllers.context import Context
from pybernetes.controllers.storagemigration import decide, definitions

NAME = "storage-version-migrator-controller"
# How long a resource may take to be served after the migration has been asked for, and how often it is asked for until
# then; and how long a server that is behind is left to catch up. In seconds.
APPEARS_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 5.0
BEHIND_SECONDS = 1.0
# Objects that are listed at a time.
PAGE = 500
RESOURCE = "resource"

Migration = storagemigration_v1beta1.StorageVersionMigration


def resource_key(migration: Migration) -> str:
    """`widgets.example.com`, which for a custom resource is the name of its definition."""
    of = migration.spec.resource
    return f"{of.resource}.{of.group}"


class Migrator:
    """The controller. Work items are resources that there are migrations of."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        # Writes are known by whom upstream makes them.
        self._objects = Client(context.client.transport, manager=NAME)
        self._definitions = Client(context.client.transport, manager=definitions.MANAGER)
        self._queue = context.queue(NAME)
        self._migrations = context.informers.of(Migration)
        self._migrations.add_index(RESOURCE, lambda one: (resource_key(one),))
        self._migrations.on_change(self._changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._migrations,))

    def _changed(self, old: Migration | None, new: Migration | None) -> None:
        migration = new or old
        if migration is not None:
            self._queue.add(resource_key(migration), "StorageVersionMigration changed")

    async def reconcile(self, key: str) -> float | None:
        agenda = decide.agenda(self._migrations.cache.index(RESOURCE, key))
        for migration in agenda.ended:
            await self._finish(migration)
        if agenda.next is not None:
            await self._begin(agenda.next)
        waits = [await self._advance(migration) for migration in agenda.active]
        return min((wait for wait in waits if wait is not None), default=None)

    # -- steps

    async def _begin(self, migration: Migration) -> None:
        definition = await self._definition(migration)
        if definition is not None:
            await self._tell(definition, definitions.begun(definition, migration.metadata.name, self._now()))
        await self._client.update_status(decide.begun(migration, self._now()))

    async def _finish(self, migration: Migration) -> None:
        definition = await self._definition(migration)
        if definition is not None:
            succeeded = decide.is_true(migration, decide.SUCCEEDED)
            await self._tell(definition, definitions.ended(definition, succeeded=succeeded, now=self._now()))
        await self._client.update_status(decide.ended(migration, self._now()))

    async def _advance(self, migration: Migration) -> float | None:
        """Note up to where to go, or go; what is returned are seconds to wait before that can be done."""
        noted = migration.status.resourceVersion
        of = migration.spec.resource
        found = await discovery.of_group(self._client, of.group)
        resource = next((one for one in found if one.name == of.resource), None)
        if resource is None:
            missing = "unable to obtain GVR from discovery" if noted else "resource does not exist in discovery"
            return await self._missing(migration, _unhandled(missing) if noted else missing)
        if not noted:
            definition = await self._definition(migration)
            if definition is not None and not await self._is_in_force(definition, resource):
                return BEHIND_SECONDS
            await self._note_revision(migration, resource)
            return None
        try:
            return await self._rewrite_all(migration, resource)
        except errors.StatusError as error:
            wait = decide.delay(error)
            if not wait:
                raise
            return wait

    async def _missing(self, migration: Migration, why: str) -> float | None:
        """Custom resources are served a moment after their definitions come."""
        created = times.parse(migration.metadata.creationTimestamp or "")
        left = created + APPEARS_SECONDS - self._context.clock.time()
        if left > 0:
            return min(left, LOOK_AGAIN_SECONDS)
        await self._fail(migration, why)
        return None

    async def _is_in_force(self, definition: definitions.Definition, resource: scheme.Resource) -> bool:
        """Whether the server writes in the storage version already that the definition has come to name; where it does
        not, a pass would leave everything as it is."""
        listed = await self._client.raw(f"/apis/{resource.group}/{resource.version}")
        told = next(
            (one.get("storageVersionHash") for one in listed["resources"] if one["name"] == resource.name), None
        )
        return told in (None, definitions.digest(definition))

    async def _note_revision(self, migration: Migration, resource: scheme.Resource) -> None:
        why = decide.refusal(resource)
        if why:
            await self._fail(migration, why)
            return
        listing = await self._client.list(resource.metadata_only(), limit=1)
        try:
            decide.revision(listing.revision)
        except ValueError as error:
            shown = f"{resource.group}/{resource.version}, Resource={resource.name}"
            await self._fail(migration, f"latest resourceVersion for {shown} is not valid: {error}")
            return
        copy = codecs.copy(migration)
        copy.status.resourceVersion = listing.revision
        await self._client.update_status(copy)

    async def _rewrite_all(self, migration: Migration, resource: scheme.Resource) -> float | None:
        """The pass. Raises StatusError for what another pass may get over."""
        token = ""
        try:
            until = decide.revision(migration.status.resourceVersion)
            while True:
                page = await self._client.list(resource.metadata_only(), limit=PAGE, continue_token=token)
                if decide.revision(page.revision) < until:
                    return BEHIND_SECONDS
                for obj in page.items:
                    if decide.revision(obj.metadata.resourceVersion) <= until and (
                        why := await self._rewrite(resource, obj.metadata)
                    ):
                        await self._fail(migration, _unhandled(why))
                        return None
                token = page.continue_token
                if not token:
                    break
        except ValueError as error:
            await self._fail(migration, _unhandled(str(error)))
            return None
        await self._client.update_status(decide.succeeded(migration, self._now()))
        return None

    async def _rewrite(self, resource: scheme.Resource, meta: meta_v1.ObjectMeta) -> str:
        """Have one object written as it is; why that cannot be, "" where it is done."""
        # A Resource is as good as a type here; what comes back is of no interest.
        target: Any = resource.metadata_only()
        apply = decide.rewriting(resource, meta)
        try:
            await self._objects.patch(target, meta.name, meta.namespace, apply, kind=APPLY_PATCH)
        except errors.StatusError as error:
            if decide.is_retriable(error):
                raise
            # It has been written, or has gone, since it was listed: nothing is left to do.
            return "" if error.reason == "Conflict" else str(error)
        # In process, what changes nothing waits for nothing.
        await asyncio.sleep(0)
        return ""

    # -- reading and writing

    async def _definition(self, migration: Migration) -> definitions.Definition | None:
        """That of a custom resource."""
        if not migration.spec.resource.group:
            return None
        try:
            return await self._client.get(definitions.Definition, resource_key(migration))
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return None

    async def _tell(self, definition: definitions.Definition, apply: dict[str, Any]) -> None:
        await self._definitions.patch(
            type(definition), definition.metadata.name, "", apply, kind=APPLY_PATCH, subresource="status", force=True
        )

    async def _fail(self, migration: Migration, why: str) -> None:
        await self._client.update_status(decide.failed(migration, why, self._now()))

    def _now(self) -> str:
        return times.to_time(self._context.clock.time())


def _unhandled(why: str) -> str:
    return f"migration encountered unhandled error: {why}"
