from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest

from pybernetes.api import errors
from pybernetes.api.types import apps_v1, core_v1, meta_v1, storagemigration_v1beta1
from pybernetes.testing import Cluster
from pybernetes.testing import cluster as clusters

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
"""


async def pods(c: Cluster) -> list[core_v1.Pod]:
    found: list[core_v1.Pod] = (await c.client().list(core_v1.Pod, "default")).items
    return found


async def test_a_deployment_is_ready_once_all_is_settled() -> None:
    async with Cluster(nodes=3, virtual=True, seed=1) as c:
        await c.apply(WEB)
        await c.settled()
        assert [pod.status.phase for pod in await pods(c)] == ["Running"] * 3
        deployment = await c.client().get(apps_v1.Deployment, "web", "default")
        assert deployment.status.readyReplicas == 3


async def test_what_a_client_reads_and_writes_may_be_changed() -> None:
    async with Cluster(virtual=True) as c:
        client = c.client()
        written = core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="m", namespace="default"), data={"a": "1"})
        async with client.watch(core_v1.ConfigMap, "default", initial_events=True) as stream:
            made = await client.create(written)
            written.data["a"] = made.data["a"] = "other"
            for event in [event for event in await stream.next() if event.type == "ADDED"]:
                event.object.data["a"] = "another"
        listed = (await client.list(core_v1.ConfigMap, "default")).items
        (found,) = [one for one in listed if one.metadata.name == "m"]
        assert found.data == {"a": "1"}
        found.data["b"] = "2"
        updated = await client.update(found)
        assert updated.metadata.resourceVersion != made.metadata.resourceVersion
        assert (await client.get(core_v1.ConfigMap, "m", "default")).data == {"a": "1", "b": "2"}


async def test_versions_that_are_off_by_default_can_be_switched_on() -> None:
    kind = storagemigration_v1beta1.StorageVersionMigration
    async with Cluster(nodes=0, virtual=True, runtime_config="storagemigration.k8s.io/v1beta1=true") as c:
        assert (await c.client().list(kind)).items == []
        async with c.fork() as other:
            assert (await other.client().list(kind)).items == []
    with pytest.raises(ValueError, match="batch/v7"):
        Cluster(runtime_config="batch/v7=true")


async def test_why_leads_from_the_pod_to_who_wanted_it() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(WEB)
        await c.settled()
        created = c.why(f"pod/{(await pods(c))[0].metadata.name}")[0]
        assert [(call.verb, call.resource) for call in created.origins] == [
            ("create", "replicasets"),
            ("patch", "deployments"),
        ]
        assert "because of patch deployments default/web" in str(created)
        with pytest.raises(ValueError, match="no resource 'pot'"):
            c.why("pot/x")


async def test_a_snapshot_is_put_back_and_controllers_agree() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(WEB)
        await c.settled()
        before = sorted(pod.metadata.uid for pod in await pods(c))
        state = await c.snapshot()
        await c.client().delete(apps_v1.Deployment, "web", "default")
        await c.advance("1m")
        assert await pods(c) == []
        await c.restore(state)
        await c.advance("1m")
        assert sorted(pod.metadata.uid for pod in await pods(c)) == before


async def test_a_fork_goes_its_own_way() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        await c.apply(WEB)
        await c.settled()
        async with c.fork() as other:
            await other.client().delete(apps_v1.Deployment, "web", "default")
            await other.advance("1m")
            assert await pods(other) == []
            assert other.clock.time() == c.clock.time() + 60
        assert len(await pods(c)) == 3


async def test_time_passes_only_when_told() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        began = c.clock.time()
        await c.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "once", "annotations": {"simulated.pybernetes.io/run-seconds": "3600"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]},
            }
        )
        await c.advance("59m")
        assert (await pods(c))[0].status.phase == "Running"
        await c.advance("1m")
        assert (await pods(c))[0].status.phase == "Succeeded"
        assert c.clock.time() == began + 3600
    async with Cluster() as real:
        with pytest.raises(RuntimeError, match="virtual=True"):
            await real.advance("1s")


async def test_faults_strike_whom_they_are_meant_for() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        mine, other = c.client("my-operator/1.0"), c.client("other")
        with c.fault(agent="my-operator*", verb="get", resource="nodes", code=503, times=1) as fault:
            await other.get(core_v1.Node, "node-1")
            with pytest.raises(errors.StatusError) as caught:
                await mine.get(core_v1.Node, "node-1")
            assert (caught.value.code, caught.value.reason) == (503, "ServiceUnavailable")
            await mine.get(core_v1.Node, "node-1")
        assert fault.struck == 1


async def test_a_lost_acknowledgement_is_a_write_that_happened() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        with c.fault(agent="mine", verb="create", lost=True), pytest.raises(ConnectionError):
            await c.client("mine").create(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="a", namespace="default")))
        assert (await c.client().get(core_v1.ConfigMap, "a", "default")).metadata.name == "a"


async def test_a_cut_watch_ends() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        with c.fault(agent="mine", verb="watch", cut=5):
            async with c.client("mine").watch(core_v1.Node) as stream:
                await c.advance("6s")
                while batch := await stream.next():
                    assert batch


async def test_a_delay_passes_in_the_cluster_s_time() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        with c.fault(agent="mine", delay=30):
            asked = asyncio.ensure_future(c.client("mine").get(core_v1.Node, "node-1"))
            await c.advance("29s")
            assert not asked.done()
            await c.advance("1s")
            assert (await asked).metadata.name == "node-1"


async def test_the_cluster_heals_from_faults_of_its_own_controllers() -> None:
    async with Cluster(nodes=2, virtual=True, seed=7) as c:
        with c.fault(agent="kube-*", verb="[cup]*", code=500, probability=0.3):
            await c.apply(WEB)
            await c.advance("5m")
        await c.advance("20m")
        assert [pod.status.phase for pod in await pods(c)] == ["Running"] * 3


async def test_budgets_and_hot_loops_are_asserted() -> None:
    async with Cluster(virtual=True, seed=1) as c:
        client = c.client("mine")
        with c.budget(2, agent="mine"):
            await client.get(core_v1.Node, "node-1")
        with pytest.raises(AssertionError, match="2 calls, 1 allowed"), c.budget(1, agent="mine"):  # noqa: PT012
            await client.get(core_v1.Node, "node-1")
            await client.get(core_v1.Node, "node-1")
        with pytest.raises(AssertionError, match="mine wrote nodes node-1 40 times"), c.no_hot_loops():  # noqa: PT012
            for number in range(40):
                await client.patch(core_v1.Node, "node-1", "", {"metadata": {"annotations": {"n": str(number)}}})


def test_durations() -> None:
    assert [clusters.seconds(text) for text in (5, "90s", "1h30m", "24h", "7d", "250ms")] == [
        5, 90, 5400, 86400, 604800, 0.25,
    ]  # fmt: skip
    for wrong in ("soon", "5", "1h x"):
        with pytest.raises(ValueError, match="is not a duration"):
            clusters.seconds(wrong)


STORY = """
import asyncio, json
from pybernetes.testing import Cluster
from tests.unit.testing.test_cluster import WEB

async def main():
    async with Cluster(nodes=3, virtual=True, seed=42) as c:
        await c.apply(WEB)
        await c.advance("10m")
        print(json.dumps([str(call) for call in c.calls]))
        print(json.dumps(sorted((k, v.decode()) for k, v in (await c.snapshot()).objects.items())))

asyncio.run(main())
"""


def test_a_seed_repeats_the_run_in_every_process() -> None:
    told = []
    for hashes in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", STORY],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        )
        told.append([json.loads(line) for line in done.stdout.splitlines()])
    assert told[0][0] == told[1][0]
    assert told[0][1] == told[1][1]


async def test_a_component_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LookupError("no such plugin")

    monkeypatch.setattr("pybernetes.scheduler.Scheduler", broken)
    with pytest.raises(RuntimeError, match=r"^scheduler does not come up: no such plugin; the log says more$"):
        async with Cluster(virtual=True):
            pass


async def test_all_is_settled_in_real_time_too() -> None:
    async with Cluster(nodes=20) as c:
        await c.apply(WEB.replace("replicas: 3", "replicas: 150"))
        await c.settled()
        deployment = await c.client().get(apps_v1.Deployment, "web", "default")
        assert deployment.status.readyReplicas == 150
        told = (await c.client().list(core_v1.Event, "default")).items
        assert sum(event.reason == "Scheduled" for event in told) == 150
