from __future__ import annotations

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, node_v1
from pybernetes.apiserver.admission import runtime_class
from tests.fakes import apiserver as fakes


def toleration(**fields: object) -> core_v1.Toleration:
    return codecs.from_tree(core_v1.Toleration, fields)


def test_redundant_tolerations_go() -> None:
    wide, narrow = toleration(key="k", operator="Exists"), toleration(key="k", value="v", effect="NoSchedule")
    other = toleration(key="x", operator="Exists")
    assert runtime_class.merge([narrow, other, wide, other]) == [other, wide]


async def test_classes_exist_and_say_what_they_cost() -> None:
    async with fakes.FakeServer() as server:
        await server.account()
        pod = fakes.pod("p")
        pod.spec.runtimeClassName = "sandboxed"
        with pytest.raises(errors.StatusError) as caught:
            await server.client.create(pod)
        assert 'pod rejected: RuntimeClass "sandboxed" not found' in str(caught.value)
        await server.client.create(
            codecs.from_tree(
                node_v1.RuntimeClass,
                {
                    "metadata": {"name": "sandboxed"},
                    "handler": "kata",
                    "overhead": {"podFixed": {"cpu": "250m"}},
                    "scheduling": {"nodeSelector": {"kata": "yes"}},
                },
            )
        )
        made = await server.client.create(pod)
        assert made.spec.overhead == {"cpu": "250m"}
        assert made.spec.nodeSelector == {"kata": "yes"}
        pod.metadata.name, pod.spec.nodeSelector = "q", {"kata": "no"}
        with pytest.raises(errors.StatusError) as caught:
            await server.client.create(pod)
        assert "conflict: runtimeClass.scheduling.nodeSelector[kata] = yes" in str(caught.value)
