"""What API servers said that are gone is taken out of StorageVersions."""

from __future__ import annotations

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import coordination_v1
from pybernetes.controllers import storageversion_gc
from pybernetes.kits.clock import settle
from tests.fakes.plane import Plane

ON = {"internal.apiserver.k8s.io/v1alpha1": True}
StorageVersion = storageversion_gc.StorageVersion


def version(name: str, **servers: str) -> StorageVersion:
    records = [
        {"apiServerID": f"apiserver-{server}", "encodingVersion": written, "decodableVersions": [written]}
        for server, written in servers.items()
    ]
    written = set(servers.values())
    status = {"storageVersions": records, "commonEncodingVersion": written.pop() if len(written) == 1 else None}
    return codecs.from_tree(StorageVersion, {"metadata": {"name": name}, "status": status})


def lease(server: str, **labels: str) -> coordination_v1.Lease:
    given = labels or {storageversion_gc.LABEL: "kube-apiserver"}
    tree = {"metadata": {"name": f"apiserver-{server}", "namespace": "kube-system", "labels": given}}
    return codecs.from_tree(coordination_v1.Lease, tree)


@pytest.mark.parametrize(
    ("gone", "left"),
    [(set(), None), ({"apiserver-c"}, None), ({"apiserver-a"}, ["b"]), ({"apiserver-a", "apiserver-b"}, [])],
)
def test_what_is_left(gone: set[str], left: list[str] | None) -> None:
    found = storageversion_gc.without(version("core.pods", a="v1", b="v1"), gone)
    names = None if found is None else [record.apiServerID.removeprefix("apiserver-") for record in found]
    assert names == left


async def say(plane: Plane, said: StorageVersion) -> None:
    made = codecs.copy(await plane.client.create(said))
    made.status = said.status
    await plane.client.update_status(made)


async def servers(plane: Plane, name: str) -> list[str] | None:
    """Those that have said something; None: nothing is there."""
    await settle()
    for found in (await plane.client.list(StorageVersion)).items:
        if found.metadata.name == name:
            return [record.apiServerID.removeprefix("apiserver-") for record in found.status.storageVersions]
    return None


async def test_records_go_with_the_lease() -> None:
    async with Plane(storageversion_gc.NAME, ON) as plane:
        for name in "ab":
            await plane.client.create(lease(name))
        await settle()
        await say(plane, version("core.pods", a="v1", b="v2"))
        await say(plane, version("core.nodes", b="v1"))
        assert await servers(plane, "core.pods") == ["a", "b"]
        await plane.client.delete(coordination_v1.Lease, "apiserver-b", "kube-system")
        assert await servers(plane, "core.pods") == ["a"]
        assert await servers(plane, "core.nodes") is None
        status = (await plane.client.get(StorageVersion, "core.pods")).status
        assert status.commonEncodingVersion == "v1"
        assert [(one.type, one.status) for one in status.conditions] == [("AllEncodingVersionsEqual", "True")]


async def test_with_the_rights_of_its_service_account() -> None:
    async with Plane("", ON) as plane, plane.as_service_accounts(storageversion_gc.NAME):
        await plane.client.create(lease("a"))
        await say(plane, version("core.pods", a="v1", b="v1"))
        await say(plane, version("core.nodes", b="v1"))
        assert await servers(plane, "core.pods") == ["a"]
        assert await servers(plane, "core.nodes") is None


async def test_who_says_something_must_have_a_lease_and_one_of_an_api_server() -> None:
    async with Plane(storageversion_gc.NAME, ON) as plane:
        await plane.client.create(lease("a"))
        await plane.client.create(lease("b", app="other"))
        await say(plane, version("core.pods", a="v1", b="v1", c="v1"))
        assert await servers(plane, "core.pods") == ["a"]
        await say(plane, version("core.nodes", c="v1"))
        assert await servers(plane, "core.nodes") is None


async def test_a_lease_that_is_back_is_there() -> None:
    async with Plane(storageversion_gc.NAME, ON) as plane:
        await plane.client.create(lease("a"))
        await say(plane, version("core.pods", a="v1"))
        await settle()
        await plane.client.delete(coordination_v1.Lease, "apiserver-a", "kube-system")
        await plane.client.create(lease("a"))
        assert await servers(plane, "core.pods") == ["a"]


async def test_with_a_server_that_says_so_itself() -> None:
    async with Plane(storageversion_gc.NAME, ON, hostname="host-1") as plane:
        await settle()
        (mine,) = (await plane.client.list(coordination_v1.Lease, "kube-system")).items
        assert await servers(plane, "core.pods") == [mine.metadata.name.removeprefix("apiserver-")]
    # Again, by the time that nobody has a lease: the server makes its own before anybody looks.
    async with Plane(storageversion_gc.NAME, ON, hostname="host-1", store=plane.store) as again:
        assert await servers(again, "core.pods") == [mine.metadata.name.removeprefix("apiserver-")]
        assert await servers(again, "apps.deployments") is not None
