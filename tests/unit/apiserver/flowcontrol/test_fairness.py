"""Requests to a whole API server: how they are classified, who waits, and what operators are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pybernetes.api import codecs, errors
from pybernetes.api.types import core_v1, flowcontrol_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.flowcontrol import classify
from pybernetes.apiserver.resources.flowcontrol import mandatory
from pybernetes.testing import Cluster

ORDERED = classify.ordered(mandatory.flow_schemas())


@pytest.mark.parametrize(
    ("user", "groups", "method", "path", "schema"),
    [
        ("admin", ["system:masters"], "GET", "/api/v1/pods", "exempt"),
        ("system:node:n1", ["system:nodes"], "PUT", "/api/v1/nodes/n1/status", "system-node-high"),
        ("system:node:n1", ["system:nodes"], "GET", "/api/v1/pods", "system-nodes"),
        ("system:kube-scheduler", [], "GET", "/api/v1/pods", "kube-scheduler"),
        ("system:kube-scheduler", [], "PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/s",
         "system-leader-election"),
        ("system:serviceaccount:kube-system:a", ["system:serviceaccounts"], "GET", "/api/v1/pods",
         "kube-system-service-accounts"),
        ("system:serviceaccount:x:a", ["system:serviceaccounts"], "GET", "/api/v1/pods", "service-accounts"),
        ("eve", [], "GET", "/api/v1/pods", "global-default"),
        ("eve", [], "GET", "/readyz", "probes"),
    ],
)  # fmt: skip
def test_whose_requests_go_where(user: str, groups: list[str], method: str, path: str, schema: str) -> None:
    who = requests.User(user, groups=(*groups, "system:authenticated"))
    attributes = requests.parse(method, path, False)
    found = next(one for one in ORDERED if classify.matches(one, who, attributes))
    assert found.metadata.name == schema


def test_flows_are_told_apart() -> None:
    by_name = {schema.metadata.name: schema for schema in ORDERED}
    who, attributes = requests.User("eve"), requests.parse("GET", "/api/v1/namespaces/a/pods", False)
    assert classify.distinguisher(by_name["global-default"], who, attributes) == "eve"
    assert classify.distinguisher(by_name["kube-system-service-accounts"], who, attributes) in ("", "a")
    assert classify.distinguisher(by_name["exempt"], who, attributes) == ""


TIGHT = {
    "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
    "kind": "PriorityLevelConfiguration",
    "metadata": {"name": "tight"},
    "spec": {
        "type": "Limited",
        "limited": {
            "nominalConcurrencyShares": 0,
            "lendablePercent": 0,
            "borrowingLimitPercent": 0,
            "limitResponse": {"type": "Reject"},
        },
    },
}
FOR_EVE = {
    "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
    "kind": "FlowSchema",
    "metadata": {"name": "eves"},
    "spec": {
        "matchingPrecedence": 10,
        "priorityLevelConfiguration": {"name": "tight"},
        "rules": [
            {
                "subjects": [{"kind": "User", "user": {"name": "eve"}}],
                "resourceRules": [
                    {
                        "verbs": ["*"],
                        "apiGroups": ["*"],
                        "resources": ["*"],
                        "namespaces": ["*"],
                        "clusterScope": True,
                    }
                ],
            }
        ],
    },
}


async def test_a_level_without_seats_serves_one_at_a_time() -> None:
    async with Cluster(controllers="", scheduler=False, nodes=0) as cluster:
        await cluster.apply([TIGHT, FOR_EVE])
        eve = cluster.client(user="eve", groups=["system:masters-of-nothing"])
        answers = await asyncio.gather(
            *(eve.create(_config_map(number)) for number in range(5)), return_exceptions=True
        )
        # Nobody has allowed her anything: she was let in one after the other to be told so.
        assert {error.code for error in answers if isinstance(error, errors.StatusError)} == {403}
        metrics = await cluster.client().raw("/metrics")
        for counted in (
            'dispatched_requests_total{flow_schema="eves",priority_level="tight"} 5',
            'current_executing_requests{flow_schema="eves",priority_level="tight"} 0',
            'current_inqueue_seats{flow_schema="eves",priority_level="tight"} 0',
            'request_wait_duration_seconds_count{flow_schema="eves",priority_level="tight",execute="true"} 5',
            'request_execution_seconds_count{flow_schema="eves",priority_level="tight",type="regular"} 5',
        ):
            assert f"\napiserver_flowcontrol_{counted}\n" in metrics
        assert 'wait_duration_seconds_count{flow_schema="exempt"' not in metrics
        dumped = await cluster.client().raw("/debug/api_priority_and_fairness/dump_priority_levels")
        assert "\ntight,\t0,\ttrue,\tfalse,\t0,\t0,\t5,\t0,\t0,\t0\n" in dumped
        for name in ("dump_queues", "dump_requests"):
            assert "PriorityLevelName,\t" in await cluster.client().raw(f"/debug/api_priority_and_fairness/{name}")
        assert 'nominal_limit_seats{priority_level="workload-low"} 245' in metrics


async def test_levels_and_schemas_come_and_go() -> None:
    async with Cluster(controllers="", scheduler=False, nodes=0) as cluster:
        admin = cluster.client()
        await cluster.apply([TIGHT, FOR_EVE])
        with pytest.raises(errors.StatusError):
            await cluster.client(user="eve").list(core_v1.Pod, "default")
        await admin.delete(flowcontrol_v1.PriorityLevelConfiguration, "tight")
        await cluster.settled()
        schema = await admin.get(flowcontrol_v1.FlowSchema, "eves")
        assert [(one.type, one.status, one.reason) for one in schema.status.conditions] == [
            ("Dangling", "True", "NotFound")
        ]
        assert schema.status.conditions[0].message == (
            'This FlowSchema references the PriorityLevelConfiguration object named "tight" but there is no such object'
        )
        assert (await admin.get(flowcontrol_v1.FlowSchema, "exempt")).status.conditions[0].reason == "Found"
        # A schema of a level that is not there matches nobody.
        with pytest.raises(errors.StatusError) as refused:
            await cluster.client(user="eve").list(core_v1.Pod, "default")
        assert refused.value.code == 403
        metrics = await admin.raw("/metrics")
        assert 'flow_schema="global-default",priority_level="global-default"} 1' in metrics


def _config_map(number: int) -> core_v1.ConfigMap:
    tree: dict[str, Any] = {"metadata": {"name": f"c{number}", "namespace": "default"}}
    return codecs.from_tree(core_v1.ConfigMap, tree)
