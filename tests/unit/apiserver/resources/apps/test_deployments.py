from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs
from pybernetes.api.types import apps_v1
from pybernetes.apiserver.resources.apps import daemonsets, deployments, replicasets, statefulsets

NOW = 1_767_225_660.0
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
SELECTOR = {"matchLabels": {"app": "web"}}


def deployment(**spec: Any) -> apps_v1.Deployment:
    tree = {
        "metadata": {"name": "web", "namespace": "d", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"selector": SELECTOR, "template": TEMPLATE, **spec},
    }
    made = codecs.from_tree(apps_v1.Deployment, tree)
    deployments.default(made)
    return made


def problems(**spec: Any) -> list[str]:
    return [str(problem) for problem in deployments.validate(deployment(**spec))]


def test_defaults() -> None:
    spec = codecs.to_tree(deployment().spec)
    del spec["template"]
    assert spec == {
        "replicas": 1,
        "selector": SELECTOR,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    assert deployment().spec.template.spec.restartPolicy == "Always"
    limits = {"limits": {"cpu": "1"}}
    template = {"spec": {"containers": [{"name": "c", "image": "i", "resources": limits}], "hostNetwork": True}}
    untouched = deployment(template=template).spec.template.spec
    assert untouched.containers[0].resources.requests == {}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, []),
        (
            {"replicas": -1},
            ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            {"selector": {"matchLabels": {"app": "other"}}},
            [
                (
                    'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template '
                    "`labels`"
                )
            ],
        ),
        ({"selector": {}}, ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"]),
        (
            {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}},
            ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
        ),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
            [
                "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
            ],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
            ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
        ),
        (
            {"progressDeadlineSeconds": 5, "minReadySeconds": 5},
            ["spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"],
        ),
    ],
)
def test_validation(spec: dict[str, Any], expected: list[str]) -> None:
    assert problems(**spec) == expected


def test_selectors_are_immutable() -> None:
    (problem,) = deployments.KIND.validate_update(deployment(selector={"matchLabels": {"app": "x"}}), deployment())
    assert str(problem) == 'spec.selector: Invalid value: {"matchLabels":{"app":"x"}}: field is immutable'


def test_row_and_scale() -> None:
    made = deployment(replicas=3)
    made.status = apps_v1.DeploymentStatus(replicas=3, readyReplicas=2, updatedReplicas=3, availableReplicas=2)
    assert deployments.row(made, NOW) == ("web", "2/3", "3", "2", "60s", "c", "i", "app=web")
    scale = deployments.KIND.scale
    assert scale is not None
    assert (scale.replicas(made), scale.status_replicas(made), scale.selector(made)) == (3, 3, "app=web")
    scale.set_replicas(made, 5)
    assert made.spec.replicas == 5


def test_status_counters_agree() -> None:
    made = deployment()
    made.status = apps_v1.DeploymentStatus(replicas=1, readyReplicas=2)
    (problem,) = deployments.validate_status(made, made)
    assert str(problem) == "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"


def test_stateful_sets_change_little() -> None:
    tree = {"metadata": {"name": "s"}, "spec": {"selector": SELECTOR, "template": TEMPLATE, "serviceName": "s"}}
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    tree["spec"]["volumeClaimTemplates"] = [claim]
    tree["spec"]["template"] = codecs.decode_tree(codecs.encode(TEMPLATE))
    tree["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/d"}]
    old = codecs.from_tree(apps_v1.StatefulSet, tree)
    statefulsets.default(old)
    assert statefulsets.validate(old) == []
    assert old.spec.volumeClaimTemplates[0].spec.volumeMode == "Filesystem"
    new = codecs.copy(old)
    new.spec.replicas, new.spec.minReadySeconds = 5, 1
    assert statefulsets.validate_update(new, old) == []
    new.spec.serviceName = "t"
    assert "updates to statefulset spec for fields other than" in str(statefulsets.validate_update(new, old)[0])


def test_daemon_sets_surge_or_go_without() -> None:
    tree = {"metadata": {"name": "s"}, "spec": {"selector": SELECTOR, "template": TEMPLATE}}
    made = codecs.from_tree(apps_v1.DaemonSet, tree)
    daemonsets.default(made)
    assert daemonsets.validate(made) == []
    assert made.spec.updateStrategy.rollingUpdate is not None
    made.spec.updateStrategy.rollingUpdate.maxSurge = 1
    assert [p.field for p in daemonsets.validate(made)] == ["spec.updateStrategy.rollingUpdate.maxSurge"]


def test_replica_sets() -> None:
    made = codecs.from_tree(
        apps_v1.ReplicaSet, {"metadata": {"name": "r"}, "spec": {"selector": SELECTOR, "template": TEMPLATE}}
    )
    replicasets.default(made)
    assert replicasets.validate(made) == []
    assert list(replicasets.row(made, NOW))[:5] == ["r", 1, 0, 0, "<unknown>"]
