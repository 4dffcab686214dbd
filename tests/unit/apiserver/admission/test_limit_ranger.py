from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1
from pybernetes.apiserver.admission import limit_ranger
from tests.fakes import apiserver as fakes


def limits(**item: Any) -> list[core_v1.LimitRangeItem]:
    return [codecs.from_tree(core_v1.LimitRangeItem, {"type": "Container"} | item)]


def pod(requests: dict[str, str] | None = None, wanted: dict[str, str] | None = None, **spec: Any) -> core_v1.Pod:
    container = {"name": "c", "resources": {"requests": requests or {}, "limits": wanted or {}}}
    return codecs.from_tree(core_v1.Pod, {"metadata": {"name": "p"}, "spec": {"containers": [container]} | spec})


def test_what_is_left_out_is_filled_in_and_told() -> None:
    made = pod({"cpu": "1"}, initContainers=[{"name": "i"}])
    limit_ranger.default(made, limits(default={"cpu": "2", "memory": "1Gi"}, defaultRequest={"cpu": "500m"}))
    (container,) = made.spec.containers
    assert container.resources.requests == {"cpu": "1"}
    assert container.resources.limits == {"cpu": "2", "memory": "1Gi"}
    assert made.metadata.annotations[limit_ranger.ANNOTATION] == (
        "LimitRanger plugin set: cpu, memory limit for container c; cpu request for init container i; "
        "cpu, memory limit for init container i"
    )


@pytest.mark.parametrize(
    ("made", "item", "expected"),
    [
        (pod({"cpu": "1"}, {"cpu": "1"}), {"min": {"cpu": "500m"}, "max": {"cpu": "1"}}, []),
        (pod(), {"min": {"cpu": "1"}}, ["minimum cpu usage per Container is 1.  No request is specified"]),
        (
            pod({"cpu": "100m"}),
            {"min": {"cpu": "1"}},
            ["minimum cpu usage per Container is 1, but request is 100m"],
        ),
        (pod(), {"max": {"cpu": "1"}}, ["maximum cpu usage per Container is 1.  No limit is specified"]),
        (pod({}, {"cpu": "2"}), {"max": {"cpu": "1"}}, ["maximum cpu usage per Container is 1, but limit is 2"]),
        (
            pod({"memory": "1Gi"}, {"memory": "3Gi"}),
            {"maxLimitRequestRatio": {"memory": "2"}},
            ["memory max limit to request ratio per Container is 2, but provided ratio is 3.000000"],
        ),
        (
            pod({"cpu": "1"}, {"cpu": "3"}, initContainers=[{"name": "i", "resources": {"limits": {"cpu": "4"}}}]),
            {"type": "Pod", "max": {"cpu": "3500m"}},
            ["maximum cpu usage per Pod is 3500m, but limit is 4"],
        ),
    ],
)
def test_pods_stay_within(made: core_v1.Pod, item: dict[str, Any], expected: list[str]) -> None:
    assert list(limit_ranger.pod_problems(made, limits(**item))) == expected


def test_claims_stay_within() -> None:
    claim = codecs.from_tree(core_v1.PersistentVolumeClaim, {"spec": {"resources": {"requests": {"storage": "10Gi"}}}})
    item = limits(type="PersistentVolumeClaim", max={"storage": "5Gi"})
    assert list(limit_ranger.claim_problems(claim, item)) == [
        "maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 10Gi"
    ]


async def test_in_the_server() -> None:
    async with fakes.FakeServer() as server:
        await server.account()
        limit_range = codecs.from_tree(
            core_v1.LimitRange,
            {
                "metadata": {"name": "l", "namespace": "default"},
                "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]},
            },
        )
        await server.client.create(limit_range)
        made = await server.client.create(fakes.pod("p"))
        assert made.spec.containers[0].resources.limits == {"cpu": "1"}
        large = fakes.pod("q")
        large.spec.containers[0].resources = codecs.from_tree(
            core_v1.ResourceRequirements, {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}
        )
        with pytest.raises(errors.StatusError) as caught:
            await server.client.create(large)
        assert caught.value.code == 403
        assert str(caught.value) == 'pods "q" is forbidden: maximum cpu usage per Container is 1, but limit is 2'
