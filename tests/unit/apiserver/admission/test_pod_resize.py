from __future__ import annotations

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1
from tests.fakes import apiserver as fakes


def requirements(cpu: str) -> core_v1.ResourceRequirements:
    return codecs.from_tree(core_v1.ResourceRequirements, {"requests": {"cpu": cpu}})


@pytest.mark.parametrize(
    ("labels", "cpu", "why"),
    [
        ({}, "2", ""),
        ({}, "5", "node didn't have enough allocatable resources: cpu, requested: 5000, allocatable: 4000"),
        ({"kubernetes.io/os": "windows"}, "2", 'pod resize is only supported on linux nodes, node "n" is "windows"'),
    ],
)
async def test_a_pod_fits_its_node(labels: dict[str, str], cpu: str, why: str) -> None:
    async with fakes.FakeServer() as server:
        await server.account()
        node = {"metadata": {"name": "n", "labels": labels}, "status": {"allocatable": {"cpu": "4", "memory": "1Gi"}}}
        await server.client.create(codecs.from_tree(core_v1.Node, node))
        wanted = fakes.pod("p", node="n")
        wanted.spec.containers[0].resources = requirements("1")
        larger = codecs.copy(await server.client.create(wanted))
        larger.spec.containers[0].resources = requirements(cpu)
        if not why:
            changed = await server.client.update(larger, subresource="resize")
            assert str(changed.spec.containers[0].resources.requests["cpu"]) == cpu
            return
        with pytest.raises(errors.StatusError) as caught:
            await server.client.update(larger, subresource="resize")
        assert (caught.value.code, str(caught.value)) == (403, f'pods "p" is forbidden: {why}')
