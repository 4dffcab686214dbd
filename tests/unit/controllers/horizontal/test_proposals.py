"""What is told of each metric: names, statuses and the words of failures, as upstream has them."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import autoscaling_v2, core_v1, meta_v1
from pybernetes.controllers.horizontal import proposals, replicas, sources

SELECTOR = {
    "matchLabels": {"b": "2", "a": "1"},
    "matchExpressions": [{"key": "k", "operator": "In", "values": ["x", "y"]}],
}
SHOWN = (
    "&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:"
    "[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}"
)
EACH, WHOLE = {"type": "AverageValue", "averageValue": "10"}, {"type": "Value", "value": "10"}
ABOUT = {"kind": "Service", "name": "front", "apiVersion": "v1"}


def scene() -> replicas.Scene:
    def pod(name: str) -> core_v1.Pod:
        ready = core_v1.PodCondition(type="Ready", status="True")
        status = core_v1.PodStatus(phase="Running", startTime="2020-01-01T00:00:00Z", conditions=[ready])
        return core_v1.Pod(metadata=meta_v1.ObjectMeta(name=name), status=status)

    return replicas.Scene(pods=[pod("a"), pod("b")], replicas=2, there=2, now=2e9)


def propose(tree: dict[str, Any], reading: sources.Reading) -> proposals.Proposal:
    return proposals.propose(codecs.from_tree(autoscaling_v2.MetricSpec, tree), reading, scene(), "ns")


def resource(name: str, target: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def object_metric(target: dict[str, Any], **metric: Any) -> dict[str, Any]:
    source = {"describedObject": ABOUT, "metric": {"name": "qps"} | metric, "target": target}
    return {"type": "Object", "object": source}


def external(target: dict[str, Any], **metric: Any) -> dict[str, Any]:
    return {"type": "External", "external": {"metric": {"name": "qps"} | metric, "target": target}}


@pytest.mark.parametrize(
    ("tree", "amounts", "name", "current"),
    [
        (object_metric(WHOLE), (20_000,), "Service metric qps", {"value": "20"}),
        (object_metric(EACH), (20_001,), "external metric qps(nil)", {"averageValue": "10001m"}),
        (external(WHOLE), (500, 700), "external metric qps(nil)", {"value": "1200m"}),
        (external(EACH, selector=SELECTOR), (30_000,), f"external metric qps({SHOWN})", {"averageValue": "15"}),
    ],
)
def test_amounts(tree: dict[str, Any], amounts: tuple[int, ...], name: str, current: dict[str, str]) -> None:
    made = propose(tree, sources.Reading(amounts=amounts))
    assert made.name == name
    status = codecs.to_tree(made.status)
    kind = tree["type"].lower()
    assert (status["type"], status[kind]["current"]) == (tree["type"], current)
    assert status[kind]["metric"]["name"] == "qps"


def test_memory_is_told_in_binary_units() -> None:
    samples = {name: replicas.Sample(2**30 * 1000, 0.0, 60.0) for name in "ab"}
    target = {"type": "AverageValue", "averageValue": "512Mi"}
    made = propose(resource("memory", target), sources.Reading(samples))
    assert (made.replicas, made.name) == (4, "memory resource")
    assert made.status.resource is not None
    assert made.status.resource.current.averageValue == "1Gi"


NO_TARGET = "neither a value target nor an average value target was set"


@pytest.mark.parametrize(
    ("tree", "reason", "why", "text"),
    [
        (
            resource("cpu", {"type": "Utilization", "averageUtilization": 50}),
            "FailedGetResourceMetric",
            "failed to get cpu utilization: unable to get metrics for resource cpu: E",
            "failed to get cpu resource metric value: {}",
        ),
        (
            resource("cpu", {"type": "AverageValue", "averageValue": "1"}),
            "FailedGetResourceMetric",
            "failed to get cpu usage: unable to get metrics for resource cpu: E",
            "failed to get cpu resource metric value: {}",
        ),
        (
            {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target": EACH}},
            "FailedGetContainerResourceMetric",
            "failed to get cpu usage: unable to get metrics for resource cpu: E",
            "failed to get c container metric value: {}",
        ),
        (
            {"type": "Pods", "pods": {"metric": {"name": "qps"}, "target": EACH}},
            "FailedGetPodsMetric",
            "unable to get metric qps: E",
            "failed to get pods metric value: {}",
        ),
        (
            object_metric(WHOLE),
            "FailedGetObjectMetric",
            "unable to get metric qps: E on Service ns/front",
            "failed to get object metric value: {}",
        ),
        (
            object_metric(EACH),
            "FailedGetObjectMetric",
            "unable to get metric qps: E on Service ns/front",
            "failed to get object metric value: failed to get qps object metric: {}",
        ),
        (
            object_metric({"type": "Value"}),
            "FailedGetObjectMetric",
            f"invalid object metric source: {NO_TARGET}",
            "failed to get object metric value: {}",
        ),
        (
            external(WHOLE, selector=SELECTOR),
            "FailedGetExternalMetric",
            f"unable to get external metric ns/qps/{SHOWN}: E",
            "failed to get qps external metric value: failed to get external metric qps: {}",
        ),
        (
            external(EACH),
            "FailedGetExternalMetric",
            "unable to get external metric ns/qps/nil: E",
            "failed to get qps external metric value: failed to get qps external metric: {}",
        ),
        (
            external({"type": "Value"}),
            "FailedGetExternalMetric",
            f"invalid external metric source: {NO_TARGET}",
            "failed to get qps external metric value: {}",
        ),
        (
            {"type": "Guess"},
            "InvalidMetricSourceType",
            'unknown metric source type "Guess"',
            "{}",
        ),
    ],
)
def test_failures(tree: dict[str, Any], reason: str, why: str, text: str) -> None:
    with pytest.raises(proposals.Failure) as caught:
        propose(tree, sources.Reading(error="E"))
    assert (caught.value.reason, caught.value.why, caught.value.text) == (reason, why, text.format(why))
