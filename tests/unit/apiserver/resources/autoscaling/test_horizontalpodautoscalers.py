from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import autoscaling_v1, autoscaling_v2
from pybernetes.apiserver.resources.autoscaling import horizontalpodautoscalers as hpas
from pybernetes.apiserver.resources.autoscaling import horizontalpodautoscalers_v1 as old_hpas

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
PODS = {"type": "Pods", "pods": {"metric": {"name": "qps"}, "target": {"type": "AverageValue", "averageValue": "5"}}}
OBJECT = {
    "type": "Object",
    "object": {
        "describedObject": {"kind": "Service", "name": "s", "apiVersion": "v1"},
        "metric": {"name": "hits", "selector": {"matchLabels": {"a": "b"}}},
        "target": {"type": "Value", "value": "7"},
    },
}


def hpa(status: dict[str, Any] | None = None, **spec: Any) -> autoscaling_v2.HorizontalPodAutoscaler:
    tree = {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 3} | spec}
    made = codecs.from_tree(autoscaling_v2.HorizontalPodAutoscaler, tree | {"status": status or {}})
    hpas.default(made)
    return made


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        (
            {"maxReplicas": 0},
            [
                "spec.maxReplicas: Required value: must be set and greater than 0",
                "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
            ],
        ),
        (
            {"minReplicas": 0},
            [
                "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
                (
                    "spec.metrics: Forbidden: must specify at least one Object or External metric "
                    "to support scaling to "
                    "zero replicas"
                ),
            ],
        ),
        (
            {"minReplicas": 4},
            ["spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"],
        ),
        (
            {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
            ['spec.scaleTargetRef.apiVersion: Invalid value: "": apiVersion must specify API group'],
        ),
        ({"scaleTargetRef": {"kind": "ReplicationController", "name": "web", "apiVersion": "v1"}}, []),
        (
            {"metrics": [PODS | {"type": "Object"}]},
            [
                "spec.metrics[0].object: Required value: must populate information for the given metric source",
            ],
        ),
        (
            {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 1801}]}}},
            [
                "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
                (
                    "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be "
                    "less than or equal to "
                    "1800"
                ),
            ],
        ),
    ],
)
def test_validation(spec: dict[str, Any], expected: list[str]) -> None:
    assert [str(problem) for problem in hpas.validate(hpa(**spec))] == expected


def test_defaults() -> None:
    made = hpa(behavior={"scaleDown": {"selectPolicy": "Min"}})
    assert made.spec.minReplicas == 1
    assert made.spec.metrics == [hpas.cpu(80)]
    behavior = made.spec.behavior
    assert behavior is not None
    assert behavior.scaleUp is not None
    assert behavior.scaleDown is not None
    assert behavior.scaleDown.selectPolicy == "Min"
    assert behavior.scaleUp.stabilizationWindowSeconds == 0
    assert [(p.type, p.value) for p in behavior.scaleUp.policies] == [("Pods", 4), ("Percent", 100)]


@pytest.mark.parametrize("metrics", [[], [PODS], [OBJECT, PODS]])
@pytest.mark.parametrize("behavior", [None, {"scaleDown": {"selectPolicy": "Min"}}])
def test_v1_keeps_what_it_does_not_know(metrics: list[Any], behavior: Any) -> None:
    status = {
        "currentReplicas": 1,
        "desiredReplicas": 2,
        "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 12}}}],
        "conditions": [{"type": "AbleToScale", "status": "True", "reason": "r"}],
    }
    made = hpa(status, metrics=metrics, behavior=behavior)
    old = old_hpas.from_stored(made)
    assert old.status.currentCPUUtilizationPercentage == 12
    assert old_hpas.to_stored(old) == made
    assert not any(key.startswith("autoscaling.alpha") for key in made.metadata.annotations)


def test_v1_annotations_are_those_of_upstream() -> None:
    old = old_hpas.from_stored(hpa(metrics=[OBJECT], behavior={}))
    given = old.metadata.annotations
    assert codecs.decode_tree(given["autoscaling.alpha.kubernetes.io/metrics"].encode()) == [
        {
            "type": "Object",
            "object": {
                "target": {"kind": "Service", "name": "s", "apiVersion": "v1"},
                "metricName": "hits",
                "selector": {"matchLabels": {"a": "b"}},
                "targetValue": "7",
            },
        }
    ]
    behavior = codecs.decode_tree(given["autoscaling.alpha.kubernetes.io/behavior"].encode())
    assert behavior["ScaleUp"]["SelectPolicy"] == "Max"


def test_v1_without_a_target_is_eighty_percent() -> None:
    old = codecs.from_tree(
        autoscaling_v1.HorizontalPodAutoscaler, {"spec": {"scaleTargetRef": TARGET, "maxReplicas": 2}}
    )
    assert old_hpas.to_stored(old).spec.metrics == [hpas.cpu(80)]


def test_its_cells() -> None:
    made = hpa(
        {"currentMetrics": [{"type": "Pods", "pods": {"metric": {"name": "qps"}, "current": {"averageValue": "3"}}}]},
        metrics=[PODS, OBJECT, PODS],
    )
    assert list(hpas.row(made, 0.0))[:6] == [
        "h",
        "Deployment/web",
        "3/5, <unknown>/7 + 1 more...",
        "1",
        3,
        0,
    ]
