"""What an API server says of the versions that it writes."""

from __future__ import annotations

from pybernetes.apiserver.identity import lease, versions
from pybernetes.apiserver.resources import table
from pybernetes.kits.clock import settle
from tests.fakes import apiserver as fakes

ON = {"internal.apiserver.k8s.io/v1alpha1": True}


def test_the_records() -> None:
    config = {"extensions/v1beta1": True, "apps/v1beta1": True}
    made = versions.records(table.kinds(config), "me")
    assert versions.records(table.kinds(config), "me")["core.pods"] == versions.Record(
        apiServerID="me", encodingVersion="v1", decodableVersions=["v1"], servedVersions=["v1"]
    )
    # Other versions, and other groups, of what is stored as one.
    deployments = made["apps.deployments"]
    assert deployments.encodingVersion == "apps/v1"
    assert deployments.decodableVersions == ["apps/v1", "extensions/v1beta1", "apps/v1beta1"]
    assert deployments.servedVersions == ["apps/v1", "apps/v1beta1"]
    assert made["core.events"].decodableVersions == ["v1", "events.k8s.io/v1"]
    assert not any(name.startswith(("extensions.", "events.")) for name in made)
    # What is not stored is not written in any version.
    assert not {"core.bindings", "core.componentstatuses", "authentication.k8s.io.tokenreviews"} & made.keys()


async def test_they_are_told_at_the_start_and_those_of_others_stay() -> None:
    async with fakes.FakeServer(runtime_config=ON, hostname="host-1") as server:
        await settle()
        listed = (await server.client.list(versions.StorageVersion)).items
        assert len(listed) == len(versions.records(server.api.registry.kinds.values(), "x"))
        pods = await server.client.get(versions.StorageVersion, "core.pods")
        assert [record.apiServerID for record in pods.status.storageVersions] == [lease.name_of("host-1")]
        assert pods.status.commonEncodingVersion == "v1"
        (condition,) = pods.status.conditions
        assert (condition.type, condition.status, condition.reason, condition.message) == (
            "AllEncodingVersionsEqual", "True", "CommonEncodingVersionSet", "Common encoding version set",
        )  # fmt: skip
        assert await server.client.get(versions.StorageVersion, "internal.apiserver.k8s.io.storageversions")
    async with fakes.FakeServer(store=server.store, seed=8, runtime_config=ON, hostname="host-2") as other:
        await settle()
        both = await other.client.get(versions.StorageVersion, "core.pods")
        names = [record.apiServerID for record in both.status.storageVersions]
        assert names == [lease.name_of("host-1"), lease.name_of("host-2")]
        assert both.status.conditions == pods.status.conditions
    async with fakes.FakeServer(store=server.store, seed=9, runtime_config=ON, hostname="host-2") as again:
        await settle()
        assert await again.client.get(versions.StorageVersion, "core.pods") == both


async def test_without_the_kind_or_a_name_nothing_is_told() -> None:
    async with fakes.FakeServer(hostname="host-1") as server:
        await settle()
        assert (await server.store.range("/registry/storageversions/")).entries == []
    async with fakes.FakeServer(runtime_config=ON) as server:
        await settle()
        assert (await server.client.list(versions.StorageVersion)).items == []
