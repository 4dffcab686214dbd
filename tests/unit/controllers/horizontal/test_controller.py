"""Autoscalers at work in virtual time, against metrics APIs that answer what the test says."""

from __future__ import annotations

from typing import Any

import pytest

from pybernetes.api import codecs, errors, times
from pybernetes.api.types import apps_v1, autoscaling_v2, core_v1
from pybernetes.client import Call
from pybernetes.controllers import Settings
from pybernetes.testing import Cluster
from tests.fakes.cluster import FakeCluster

ONLY = "deployment-controller,replicaset-controller,horizontal-pod-autoscaler-controller"
Autoscaler = autoscaling_v2.HorizontalPodAutoscaler
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}


def deployment(replicas: int = 2, name: str = "web") -> apps_v1.Deployment:
    resources = {"requests": {"cpu": "1"}}
    tree = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "x", "resources": resources}]},
            },
        },
    }
    return codecs.from_tree(apps_v1.Deployment, tree)


def autoscaler(*metrics: dict[str, Any], name: str = "web", kind: str = "Deployment", **spec: Any) -> Autoscaler:
    target = {"apiVersion": "apps/v1", "kind": kind, "name": "web"}
    tree = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 10, "metrics": list(metrics)} | spec,
    }
    return codecs.from_tree(Autoscaler, tree)


class Metrics:
    """The metrics APIs. `cpu`: thousandths that each pod uses; `values`: of custom and external metrics, by name."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.cpu = 500
        self.values: dict[str, list[str]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        cluster.api.served["/apis/metrics.k8s.io"] = self._resources
        cluster.api.served["/apis/custom.metrics.k8s.io"] = self._values
        cluster.api.served["/apis/external.metrics.k8s.io"] = self._values
        group = {"name": "custom.metrics.k8s.io", "versions": [{"version": "v1beta1"}, {"version": "v1beta2"}]}
        # Other groups are known without asking.
        cluster.api.groups.append(group)

    def _resources(self, call: Call) -> Any:
        self.asked.append((call.path, call.query))
        now = times.to_time(self.cluster.clock.time())
        return {
            "items": [
                {
                    "metadata": {"name": pod.metadata.name, "namespace": "default"},
                    "timestamp": now,
                    "window": "30s",
                    "containers": [{"name": "c", "usage": {"cpu": f"{self.cpu}m", "memory": "64Mi"}}],
                }
                for pod in self.cluster.api.all(core_v1.Pod)
                if pod.status.phase == "Running"
            ]
        }

    def _values(self, call: Call) -> Any:
        self.asked.append((call.path, call.query))
        name = call.path.rpartition("/")[2]
        if name not in self.values:
            raise errors.path_not_found()
        pods = [pod.metadata.name for pod in self.cluster.api.all(core_v1.Pod)]
        return {
            "items": [
                {"describedObject": {"name": pod}, "timestamp": "2026-01-01T00:00:00Z", "value": value}
                for pod, value in zip(pods + [""] * len(self.values[name]), self.values[name], strict=False)
            ]
        }


async def started(cluster: FakeCluster, replicas: int = 2) -> None:
    """The target runs, and its pods have been ready for long."""
    cluster.api.seed(deployment(replicas))
    await cluster.settled()

    def mature(pod: core_v1.Pod) -> None:
        pod.status.startTime = "2020-01-01T00:00:00Z"

    for pod in cluster.api.all(core_v1.Pod):
        cluster.api.change(pod, mature)
    await cluster.settled()


def size(cluster: FakeCluster) -> int:
    return cluster.api.find(apps_v1.Deployment, "web", "default").spec.replicas


def told(cluster: FakeCluster, name: str = "web") -> dict[str, tuple[str, str]]:
    found = cluster.api.find(Autoscaler, name, "default")
    return {condition.type: (condition.status, condition.reason) for condition in found.status.conditions}


def message(cluster: FakeCluster, kind: str) -> str:
    found = cluster.api.find(Autoscaler, "web", "default")
    return next(condition.message for condition in found.status.conditions if condition.type == kind)


async def test_more_pods_when_they_are_busy() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        metrics = Metrics(cluster)
        await started(cluster)
        metrics.cpu = 900
        cluster.api.seed(autoscaler(CPU))
        await cluster.clock.advance(14)
        assert size(cluster) == 2
        await cluster.clock.advance(2)
        assert size(cluster) == 4
        assert told(cluster) == {
            "AbleToScale": ("True", "SucceededRescale"),
            "ScalingActive": ("True", "ValidMetricFound"),
            "ScalingLimited": ("False", "DesiredWithinRange"),
        }
        assert message(cluster, "AbleToScale") == "the HPA controller was able to update the target scale to 4"
        what = "cpu resource utilization (percentage of request)"
        assert message(cluster, "ScalingActive") == (
            f"the HPA was able to successfully calculate a replica count from {what}"
        )
        assert cluster.events("SuccessfulRescale") == [f"New size: 4; reason: {what} above target"]
        status = cluster.api.find(Autoscaler, "web", "default").status
        assert (status.currentReplicas, status.desiredReplicas) == (2, 4)
        assert status.lastScaleTime is not None
        current = status.currentMetrics[0].resource.current
        assert (current.averageUtilization, current.averageValue) == (90, "900m")
        assert metrics.asked[0] == (
            "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods",
            {"labelSelector": "app=web"},
        )


async def test_fewer_pods_only_after_a_while() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        metrics = Metrics(cluster)
        await started(cluster, 4)
        metrics.cpu = 100
        cluster.api.seed(autoscaler(CPU))
        await cluster.clock.advance(200)
        assert size(cluster) == 4
        assert told(cluster)["AbleToScale"] == ("True", "ScaleDownStabilized")
        await cluster.clock.advance(130)
        assert size(cluster) == 1
        assert cluster.events("SuccessfulRescale") == ["New size: 1; reason: All metrics below target"]


async def test_policies_limit_how_fast() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        metrics = Metrics(cluster)
        await started(cluster)
        metrics.cpu = 5000
        up = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}], "selectPolicy": "Max"}
        cluster.api.seed(autoscaler(CPU, behavior={"scaleUp": up}))
        await cluster.clock.advance(50)
        assert size(cluster) == 3
        assert told(cluster)["ScalingLimited"] == ("True", "ScaleUpLimit")
        await cluster.clock.advance(60)
        assert size(cluster) == 4


@pytest.mark.parametrize(
    ("replicas", "low", "high", "after", "reason"),
    [
        (1, 3, 5, 3, "Current number of replicas below Spec.MinReplicas"),
        (9, 3, 5, 5, "Current number of replicas above Spec.MaxReplicas"),
    ],
)
async def test_limits_hold_whatever_metrics_say(replicas: int, low: int, high: int, after: int, reason: str) -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await started(cluster, replicas)
        cluster.api.seed(autoscaler(CPU, minReplicas=low, maxReplicas=high))
        await cluster.clock.advance(16)
        assert size(cluster) == after
        assert cluster.events("SuccessfulRescale") == [f"New size: {after}; reason: {reason}"]


async def test_what_is_scaled_to_nothing_is_left_alone() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        Metrics(cluster)
        await started(cluster, 0)
        cluster.api.seed(autoscaler(CPU))
        await cluster.clock.advance(60)
        assert size(cluster) == 0
        assert told(cluster)["ScalingActive"] == ("False", "ScalingDisabled")
        assert message(cluster, "ScalingActive") == (
            "scaling is disabled since the replica count of the target is zero"
        )


QPS = {"name": "qps"}
EACH, WHOLE = {"type": "AverageValue", "averageValue": "10"}, {"type": "Value", "value": "10"}
FRONT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "front"}
HERE = {"kind": "Namespace", "name": "x"}
BY_LABEL = QPS | {"selector": {"matchLabels": {"a": "b"}}}
PODS = {"type": "Pods", "pods": {"metric": QPS, "target": EACH}}
EXTERNAL = {"type": "External", "external": {"metric": QPS, "target": EACH}}
EXTERNAL_WHOLE = {"type": "External", "external": {"metric": BY_LABEL, "target": WHOLE}}
OBJECT = {"type": "Object", "object": {"describedObject": FRONT, "metric": QPS, "target": WHOLE}}
NAMESPACE = {"type": "Object", "object": {"describedObject": HERE, "metric": QPS, "target": EACH}}
QUARTER = {"type": "AverageValue", "averageValue": "250m"}
CONTAINER = {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target": QUARTER}}
CUSTOM_PATH = "/apis/custom.metrics.k8s.io/v1beta1/namespaces/default"
EXTERNAL_PATH = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default"


@pytest.mark.parametrize(
    ("metric", "values", "after", "path", "query"),
    [
        (PODS, ["20", "20"], 4, f"{CUSTOM_PATH}/pods/*/qps", {"labelSelector": "app=web"}),
        (OBJECT, ["15"], 3, f"{CUSTOM_PATH}/deployments.apps/front/qps", {}),
        (NAMESPACE, ["31"], 4, f"{CUSTOM_PATH}/metrics/qps", {}),
        (EXTERNAL, ["15", "16"], 4, f"{EXTERNAL_PATH}/qps", {}),
        (EXTERNAL_WHOLE, ["15"], 3, f"{EXTERNAL_PATH}/qps", {"labelSelector": "a=b"}),
        (CONTAINER, [], 4, "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods", {"labelSelector": "app=web"}),
    ],
)
async def test_every_source(
    metric: dict[str, Any], values: list[str], after: int, path: str, query: dict[str, str]
) -> None:
    async with FakeCluster(only=ONLY) as cluster:
        metrics = Metrics(cluster)
        metrics.values["qps"] = values
        await started(cluster)
        cluster.api.seed(autoscaler(metric))
        await cluster.clock.advance(16)
        assert (size(cluster), metrics.asked[-1]) == (after, (path, query))
        assert told(cluster)["ScalingActive"] == ("True", "ValidMetricFound")
        assert cluster.api.find(Autoscaler, "web", "default").status.currentMetrics[0].type == metric["type"]


async def test_the_metric_that_asks_for_most_counts() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        metrics = Metrics(cluster)
        metrics.cpu, metrics.values["qps"] = 600, ["40"]
        await started(cluster)
        cluster.api.seed(autoscaler(CPU, EXTERNAL))
        await cluster.clock.advance(16)
        assert size(cluster) == 4
        assert cluster.events("SuccessfulRescale") == ["New size: 4; reason: external metric qps(nil) above target"]


async def test_a_metric_that_is_not_known_stops_fewer_but_not_more() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        metrics = Metrics(cluster)
        await started(cluster, 2)
        metrics.cpu = 900
        cluster.api.seed(autoscaler(CPU, EXTERNAL))
        await cluster.clock.advance(16)
        assert size(cluster) == 4
        metrics.cpu = 10
        await cluster.clock.advance(600)
        assert size(cluster) == 4
        assert told(cluster)["ScalingActive"] == ("False", "FailedGetExternalMetric")
        raw = (
            "unable to get external metric default/qps/nil: unable to fetch metrics from external metrics API:"
            " the server could not find the requested resource (get qps.external.metrics.k8s.io)"
        )
        assert message(cluster, "ScalingActive") == f"the HPA was unable to compute the replica count: {raw}"
        assert raw in cluster.events("FailedGetExternalMetric")
        outer = f"failed to get qps external metric value: failed to get qps external metric: {raw}"
        whole = f"invalid metrics (1 invalid out of 2), first error is: {outer}"
        assert whole in cluster.events("FailedComputeMetricsReplicas")


async def test_without_metrics_apis() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await started(cluster)
        cluster.api.fail(lambda call: errors.path_not_found() if "metrics.k8s.io" in call.path else None)
        cluster.api.seed(autoscaler(CPU, PODS))
        await cluster.clock.advance(16)
        assert told(cluster)["ScalingActive"] == ("False", "FailedGetResourceMetric")
        [found] = cluster.events("FailedGetResourceMetric")
        assert found == (
            "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from"
            " resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
        )
        assert cluster.events("FailedGetPodsMetric") == [
            (
                "unable to get metric qps: unable to fetch metrics from custom metrics API: no custom metrics API"
                " (custom.metrics.k8s.io) registered"
            )
        ]


@pytest.mark.parametrize(
    "answer", [{"items": [{"metadata": {"name": "x"}, "containers": 5}]}, {"items": None}, [], "?"]
)
async def test_nonsense_from_a_metrics_api_is_told(answer: Any) -> None:
    async with FakeCluster(only=ONLY) as cluster:
        await started(cluster)
        cluster.api.served["/apis/metrics.k8s.io"] = lambda call: answer
        cluster.api.seed(autoscaler(CPU))
        await cluster.clock.advance(40)
        assert told(cluster)["ScalingActive"] == ("False", "FailedGetResourceMetric")
        assert size(cluster) == 2


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ({"apiVersion": "apps/v1", "kind": "Deployment", "name": "gone"}, 'deployments.apps "gone" not found'),
        ({"apiVersion": "apps/v1", "kind": "Nothing", "name": "web"}, 'no matches for kind "Nothing" in group "apps"'),
        ({"apiVersion": "a/b/c", "kind": "Deployment", "name": "web"}, "unexpected GroupVersion string: a/b/c"),
    ],
)
async def test_targets_that_are_not_there(reference: dict[str, str], why: str) -> None:
    async with FakeCluster(only=ONLY) as cluster:
        cluster.api.seed(autoscaler(CPU, scaleTargetRef=reference))
        await cluster.clock.advance(16)
        assert told(cluster) == {"AbleToScale": ("False", "FailedGetScale")}
        assert message(cluster, "AbleToScale") == (
            f"the HPA controller was unable to get the target's current scale: {why}"
        )
        assert cluster.events("FailedGetScale") == [why]


async def test_two_autoscalers_of_the_same_pods_do_nothing() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        metrics = Metrics(cluster)
        await started(cluster)
        cluster.api.seed(autoscaler(CPU), autoscaler(CPU, name="web2"))
        await cluster.clock.advance(31)
        metrics.cpu = 5000
        await cluster.clock.advance(60)
        assert size(cluster) == 2
        assert told(cluster)["ScalingActive"] == ("False", "AmbiguousSelector")
        assert message(cluster, "ScalingActive") == (
            "pods by selector app=web are controlled by multiple HPAs: [{web default} {web2 default}]"
        )


async def test_a_scale_that_others_change_is_tried_again_and_a_refused_one_told() -> None:
    async with FakeCluster(only=ONLY) as cluster:
        metrics = Metrics(cluster)
        await started(cluster)
        metrics.cpu = 900
        left = [errors.modified("apps", "deployments", "web")] * 2

        def refuse(call: Call) -> Exception | None:
            return left.pop() if call.method == "PUT" and call.path.endswith("/scale") and left else None

        cluster.api.fail(refuse)
        cluster.api.seed(autoscaler(CPU))
        await cluster.clock.advance(16)
        assert size(cluster) == 4
        left += [errors.error(403, "Forbidden", "no")] * 9
        metrics.cpu = 5000
        await cluster.clock.advance(16)
        assert told(cluster)["AbleToScale"] == ("False", "FailedUpdateScale")
        assert any(text.endswith("error: no") for text in cluster.events("FailedRescale"))


async def test_the_period_is_a_setting_and_a_deleted_autoscaler_is_forgotten() -> None:
    async with FakeCluster(only=ONLY, settings=Settings(horizontal_pod_autoscaler_sync_period=5.0)) as cluster:
        metrics = Metrics(cluster)
        await started(cluster)
        made = cluster.api.seed(autoscaler(CPU))
        await cluster.clock.advance(21)
        assert len(metrics.asked) == 4
        cluster.api.remove(made)
        await cluster.clock.advance(60)
        assert len(metrics.asked) == 4


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: farms.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: farms, singular: farm, kind: Farm}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
      subresources:
        status: {}
        scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}
"""


async def test_any_kind_that_has_a_scale() -> None:
    async with Cluster(nodes=1, virtual=True, seed=1) as c:
        await c.apply(CRD)
        await c.settled()
        meta = {"name": "web", "namespace": "default"}
        await c.apply({"apiVersion": "example.com/v1", "kind": "Farm", "metadata": meta, "spec": {"size": 1}})
        target = {"apiVersion": "example.com/v1", "kind": "Farm", "name": "web"}
        spec = {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 5}
        tree = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec}
        await c.apply(tree)
        await c.advance("20s")
        farm = await c.client().raw("/apis/example.com/v1/namespaces/default/farms/web")
        assert farm.content["spec"]["size"] == 3
        await c.advance("20s")
        found = await c.client().get(Autoscaler, "web", "default")
        reasons = {one.type: one.reason for one in found.status.conditions}
        assert reasons == {"AbleToScale": "SucceededGetScale", "ScalingActive": "InvalidSelector"}
        assert found.status.currentReplicas == 3
        events = (await c.client().list(core_v1.Event, "default")).items
        assert {"SuccessfulRescale", "SelectorRequired"} <= {event.reason for event in events}


async def test_the_real_api_accepts_what_is_told_of_metrics_that_fail() -> None:
    async with Cluster(nodes=1, virtual=True, seed=1) as c:
        tree = codecs.to_tree(deployment(1))
        await c.apply(tree)
        await c.apply(codecs.to_tree(autoscaler(CPU)))
        await c.advance("1m")
        found = await c.client().get(Autoscaler, "web", "default")
        assert {one.type: one.reason for one in found.status.conditions} == {
            "AbleToScale": "SucceededGetScale",
            "ScalingActive": "FailedGetResourceMetric",
        }
        assert found.status.currentReplicas == 1
