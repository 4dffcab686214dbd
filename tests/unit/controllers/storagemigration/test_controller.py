"""Migrations at work on a real API server: what is stored is looked at in the store."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import apiextensions_v1, core_v1, storagemigration_v1beta1
from pybernetes.controllers.storagemigration import controller
from pybernetes.kits.clock import settle
from tests.fakes.plane import Plane
from tests.unit.apiserver.extensions.custom import test_definitions as custom
from tests.unit.apiserver.storage import test_encryption as sealing

Migration = storagemigration_v1beta1.StorageVersionMigration
Definition = apiextensions_v1.CustomResourceDefinition
ON = {"storagemigration.k8s.io/v1beta1": True}
WIDGETS = "widgets.example.com"
SUCCEEDED = {
    "Running": ("False", "MigrationCompleted", "Migration completed"),
    "Succeeded": ("True", "StorageVersionMigrationSucceeded", ""),
}


def running(**more: Any) -> Plane:
    return Plane(controller.NAME, ON, **more)


def migration(name: str = "m", resource: str = "widgets", group: str = "example.com") -> Migration:
    tree = {"metadata": {"name": name}, "spec": {"resource": {"group": group, "resource": resource}}}
    return codecs.from_tree(Migration, tree)


def said(found: Any) -> dict[str, tuple[str, str, str]]:
    return {one.type: (one.status, one.reason, one.message) for one in found.status.conditions}


async def migrate(plane: Plane, one: Migration) -> Migration:
    await plane.client.create(one)
    await settle()
    return await plane.client.get(Migration, one.metadata.name)


async def define(plane: Plane, *stored: str, names: tuple[str, ...] = ("v1", "v2")) -> None:
    """The definition as it is once each of these has been the storage version in turn."""
    for version in stored:
        listed = [custom.version(name, storage=name == version) for name in names]
        wanted = custom.definition(*listed)
        try:
            found = codecs.copy(await plane.client.get(Definition, WIDGETS))
        except errors.StatusError:
            await plane.client.create(wanted)
        else:
            found.spec.versions = wanted.spec.versions
            await plane.client.update(found)
        await settle()


async def create(plane: Plane, *names: str, version: str = "v1") -> None:
    for name in names:
        body = custom.widget(name, version, size=3)
        await plane.client.raw(f"/apis/example.com/{version}/namespaces/default/widgets", method="POST", body=body)


async def kept(plane: Plane) -> list[str]:
    page = await plane.store.range("/registry/example.com/widgets/")
    return [codecs.decode_tree(entry.value)["apiVersion"] for entry in page.entries]


async def stored_versions(plane: Plane) -> list[str]:
    return (await plane.client.get(Definition, WIDGETS)).status.storedVersions


async def test_an_old_version_of_a_custom_resource_can_be_removed() -> None:
    async with running() as plane:
        await define(plane, "v1")
        await create(plane, "a", "b", "c")
        await define(plane, "v2")
        await create(plane, "d", version="v2")
        assert await kept(plane) == ["example.com/v1"] * 3 + ["example.com/v2"]
        assert await stored_versions(plane) == ["v1", "v2"]
        found = await migrate(plane, migration())
        assert said(found) == SUCCEEDED
        assert found.status.resourceVersion.isdecimal()
        assert await kept(plane) == ["example.com/v2"] * 4
        definition = await plane.client.get(Definition, WIDGETS)
        assert definition.status.storedVersions == ["v2"]
        assert said(definition)["StorageMigrating"] == (
            "False", "MigrationSucceeded", "The migration has succeeded and the stored versions have been updated",
        )  # fmt: skip
        await define(plane, "v2", names=("v2",))
        for name in "abcd":
            read = await plane.client.raw(f"/apis/example.com/v2/namespaces/default/widgets/{name}")
            assert codecs.to_tree(read)["spec"] == {"size": 3, "color": "red"}
        assert not any(entry.manager == controller.NAME for entry in read.metadata.managedFields)


async def test_again_and_with_the_definition_changed_under_it() -> None:
    async with running() as plane:
        await define(plane, "v1", "v2")
        assert said(await migrate(plane, migration("first"))) == SUCCEEDED
        await define(plane, "v1")
        await create(plane, "a")
        seen: list[list[str]] = []

        async def before(request: Any) -> None:
            # The first object's rewriting: by now the second migration runs.
            if request.method == "PATCH" and request.path.endswith("/widgets/a") and not seen:
                item = plane.api.registry.collection("apiextensions.k8s.io", "customresourcedefinitions").get(
                    "", WIDGETS
                )
                definition = item.fresh(Definition)
                seen.append(definition.status.storedVersions)
                assert said(definition)["StorageMigrating"] == (
                    "True", "MigrationRunning", "Migration second is running",
                )  # fmt: skip
                raise errors.error(409, "Conflict", "somebody was faster")

        plane.before = before
        assert said(await migrate(plane, migration("second"))) == SUCCEEDED
        # What is stored is known all the while.
        assert seen == [["v2", "v1"]]
        assert await stored_versions(plane) == ["v1"]


async def test_a_change_of_the_definition_meanwhile_keeps_its_stored_versions() -> None:
    async with running() as plane:
        await define(plane, "v1")
        await create(plane, "a")
        await define(plane, "v2")
        held: list[Any] = []

        async def before(request: Any) -> None:
            if request.method == "PATCH" and request.path.endswith("/widgets/a") and not held:
                held.append(request)
                raise errors.too_many_requests("wait", 7)

        plane.before = before
        found = await migrate(plane, migration())
        assert said(found) == {"Running": ("True", "MigrationRunning", "The migration is running")}
        await define(plane, "v2", names=("v1", "v2", "v3"))
        await plane.clock.advance(6.0)
        assert await kept(plane) == ["example.com/v1"]
        await plane.clock.advance(2.0)
        assert await kept(plane) == ["example.com/v2"]
        definition = await plane.client.get(Definition, WIDGETS)
        assert definition.status.storedVersions == ["v1", "v2"]
        assert said(definition)["StorageMigrating"] == (
            "False", "MigrationSucceeded",
            "The migration has succeeded but the stored versions have not been updated due to a generation mismatch",
        )  # fmt: skip


async def test_a_definition_that_is_not_in_force_yet_is_waited_for() -> None:
    async with running() as plane:
        await define(plane, "v1")
        await create(plane, "a")
        held = asyncio.Event()

        async def before(request: Any) -> None:
            # Definitions are taken one at a time, and this one takes its time.
            if request.method == "PUT" and request.path.endswith("/others.example.com/status"):
                await held.wait()

        plane.before = before
        await plane.client.create(custom.definition(plural="others", kind="Other"))
        await settle()
        await define(plane, "v2")
        found = await migrate(plane, migration())
        await plane.clock.advance(30.0)
        assert (said(found)["Running"][0], found.status.resourceVersion) == ("True", "")
        held.set()
        await plane.clock.advance(1.0)
        assert said(await plane.client.get(Migration, "m")) == SUCCEEDED
        assert await kept(plane) == ["example.com/v2"]


async def test_objects_that_come_go_and_change_meanwhile_are_left_alone() -> None:
    path = "/apis/example.com/v2/namespaces/default/widgets"
    async with running() as plane:
        await define(plane, "v1")
        await create(plane, "a", "b", "c", "d")
        await define(plane, "v2")
        answered: dict[str, str] = {}

        async def before(request: Any) -> None:
            if request.method != "PATCH" or "/widgets/" not in request.path:
                return
            if not answered:
                changed = codecs.to_tree(await plane.client.raw(f"{path}/b"))
                changed["spec"]["size"] = 4
                await plane.client.raw(f"{path}/b", method="PUT", body=changed)
                for name in "cd":
                    await plane.client.raw(f"{path}/{name}", method="DELETE")
                await create(plane, "d", version="v2")
                await create(plane, "e", version="v2")
            answered[request.path[-1]] = request.body["metadata"]["resourceVersion"]

        plane.before = before
        assert said(await migrate(plane, migration())) == SUCCEEDED
        # As they were listed; what is new is not looked at.
        assert list(answered) == ["a", "b", "c", "d"]
        assert await kept(plane) == ["example.com/v2"] * 4
        assert codecs.to_tree(await plane.client.raw(f"{path}/b"))["spec"]["size"] == 4
        with pytest.raises(errors.StatusError, match='"c" not found'):
            await plane.client.raw(f"{path}/c")


async def test_with_a_conversion_webhook_that_is_away_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    hook, away = custom.Hook(), [True]

    async def call(config: Any, review: Any, *, seconds: float) -> Any:
        if away:
            raise OSError("connection refused")
        return await hook(review)

    length = {"type": "object", "properties": {"length": {"type": "integer"}}}
    conversion = {
        "strategy": "Webhook",
        "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://hook"}},
    }
    async with running() as plane:
        monkeypatch.setattr(plane.api.webhooks, "call", call)
        await define(plane, "v1")
        await create(plane, "a", "b")
        found = codecs.copy(await plane.client.get(Definition, WIDGETS))
        two = [custom.version("v1", storage=False), custom.version("v2", spec=length)]
        found.spec = custom.definition(*two, conversion=conversion).spec
        await plane.client.update(found)
        await settle()
        assert "Succeeded" not in said(await migrate(plane, migration()))
        await plane.clock.advance(60.0)
        assert await kept(plane) == ["example.com/v1"] * 2
        away.clear()
        await plane.clock.advance(1000.0)
        assert said(await plane.client.get(Migration, "m")) == SUCCEEDED
        stored = codecs.decode_tree(await plane.value("/registry/example.com/widgets/default/a"))
        assert (stored["apiVersion"], stored["spec"]) == ("example.com/v2", {"length": 3})
        assert await stored_versions(plane) == ["v2"]


async def test_a_refusal_ends_it_and_the_definition_keeps_what_it_stores() -> None:
    async with running() as plane:
        await define(plane, "v1")
        await create(plane, "a")
        await define(plane, "v2")

        async def before(request: Any) -> None:
            if request.method == "PATCH" and "/widgets/" in request.path:
                raise errors.forbidden("example.com", "widgets", "a", "not today")

        plane.before = before
        found = await migrate(plane, migration())
        why = 'migration encountered unhandled error: widgets.example.com "a" is forbidden: not today'
        assert said(found)["Failed"] == ("True", "StorageVersionMigrationFailed", why)
        assert said(found)["Running"] == ("False", "MigrationCompleted", "Migration completed")
        definition = await plane.client.get(Definition, WIDGETS)
        assert said(definition)["StorageMigrating"] == ("False", "MigrationFailed", "The migration has failed")
        assert definition.status.storedVersions == ["v1", "v2"]


async def test_one_at_a_time() -> None:
    async with running() as plane:
        await define(plane, "v1")
        await create(plane, "a")
        order: list[str] = []

        async def before(request: Any) -> None:
            if request.method == "PUT" and "/storageversionmigrations/" in request.path:
                states = [one.type for one in request.body.status.conditions if one.status == "True"]
                order.append(f"{request.body.metadata.name} {' '.join(states)}")

        plane.before = before
        for name in ("x", "b", "a"):
            await plane.client.create(migration(name))
        await settle()
        assert [line for line in dict.fromkeys(order) if line.endswith(("Running", "Succeeded"))] == [
            "a Running", "a Running Succeeded", "a Succeeded",
            "b Running", "b Running Succeeded", "b Succeeded",
            "x Running", "x Running Succeeded", "x Succeeded",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "seconds", "why"),
    [
        (migration(resource="gadgets"), 61.0, "resource does not exist in discovery"),
        (migration(resource="x", group=""), 61.0, "resource does not exist in discovery"),
        (
            migration(resource="subjectaccessreviews", group="authorization.k8s.io"),
            0.0,
            (
                'resource "authorization.k8s.io/v1, Resource=subjectaccessreviews" does not support discovery '
                "operations: [update patch list]"
            ),
        ),
    ],
)
async def test_what_cannot_be_migrated(one: Migration, seconds: float, why: str) -> None:
    async with running() as plane:
        found = await migrate(plane, one)
        assert ("Failed" in said(found)) is (not seconds)
        await plane.clock.advance(seconds)
        found = await plane.client.get(Migration, "m")
        assert said(found) == {
            "Running": ("False", "MigrationCompleted", "Migration completed"),
            "Failed": ("True", "StorageVersionMigrationFailed", why),
        }


async def test_a_definition_that_comes_within_the_minute() -> None:
    async with running() as plane:
        await migrate(plane, migration())
        await plane.clock.advance(20.0)
        await define(plane, "v1")
        await plane.clock.advance(5.0)
        assert said(await plane.client.get(Migration, "m")) == SUCCEEDED


async def test_a_new_key_seals_all_secrets() -> None:
    old, new = sealing.keys("aescbc", "old"), sealing.keys("aesgcm", "new")
    async with running(encryption=sealing.config(old)) as plane:
        for number in range(1200):
            secret = secret_of(f"s{number}")
            await plane.client.create(secret)
    async with running(store=plane.store, encryption=sealing.config(new, old)) as plane:
        before = await plane.client.get(core_v1.Secret, "s7", "default")
        assert (await plane.value("/registry/secrets/default/s7")).startswith(b"k8s:enc:aescbc:v1:old:")
        assert said(await migrate(plane, migration(resource="secrets", group=""))) == SUCCEEDED
        page = await plane.store.range("/registry/secrets/default/")
        assert len(page.entries) == 1200
        assert all(entry.value.startswith(b"k8s:enc:aesgcm:v1:new:") for entry in page.entries)
        revisions = [entry.modified for entry in page.entries]
        after = codecs.copy(await plane.client.get(core_v1.Secret, "s7", "default"))
        assert after.metadata.resourceVersion != before.metadata.resourceVersion
        after.metadata.resourceVersion = before.metadata.resourceVersion
        assert after == before
        # Once is enough.
        assert said(await migrate(plane, migration("again", "secrets", ""))) == SUCCEEDED
        assert [
            entry.modified for entry in (await plane.store.range("/registry/secrets/default/")).entries
        ] == revisions
    async with running(store=plane.store, encryption=sealing.config(new)) as plane:
        assert (await plane.client.get(core_v1.Secret, "s7", "default")).data == {"k": "dg=="}


def secret_of(name: str) -> core_v1.Secret:
    tree = {"metadata": {"name": name, "namespace": "default"}, "data": {"k": "dg=="}}
    return codecs.from_tree(core_v1.Secret, tree)


async def test_with_the_rights_of_its_service_account() -> None:
    async with Plane("", ON) as plane, plane.as_service_accounts(controller.NAME):
        await define(plane, "v1")
        await create(plane, "a", "b")
        await define(plane, "v2")
        assert said(await migrate(plane, migration())) == SUCCEEDED
        assert await kept(plane) == ["example.com/v2"] * 2
        assert await stored_versions(plane) == ["v2"]


async def test_without_the_kind_nothing_is_asked_but_once() -> None:
    asked: list[str] = []

    async def before(request: Any) -> None:
        if "storagemigration" in request.path:
            asked.append(request.path)

    plane = Plane(controller.NAME, {})
    plane.before = before
    async with plane:
        await plane.clock.advance(3600.0)
        assert asked == ["/apis/storagemigration.k8s.io/v1beta1"]


async def test_everything_that_is_built_in_can_be_sealed() -> None:
    async with Plane("", ON) as plane:
        assert b"k8s:enc:" not in await plane.value("/registry/namespaces/default")
    sealed = sealing.config(sealing.keys("aesgcm", "new"), sealing.IDENTITY, resources=("*.*",))
    async with (
        Plane("", ON, store=plane.store, encryption=sealed) as plane,
        plane.as_service_accounts(controller.NAME),
    ):
        kinds = {(kind.resource.group, kind.resource.name): kind.resource for kind in plane.api.registry.kinds.values()}
        wanted = [one for one in kinds.values() if {"update", "patch", "list"}.issubset(one.verbs)]
        for one in wanted:
            await plane.client.create(migration(one.group_resource, one.name, one.group))
        await plane.clock.advance(30.0)
        ended = {one.metadata.name: said(one) for one in (await plane.client.list(Migration)).items}
        assert {name: state for name, state in ended.items() if state != SUCCEEDED} == {}
        assert ended.keys() == {one.group_resource for one in wanted}
        entries = (await plane.store.range("/registry/")).entries
        assert len(entries) > 200
        assert [entry.key for entry in entries if not entry.value.startswith(b"k8s:enc:aesgcm:v1:new:")] == []
