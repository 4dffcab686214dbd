"""The flow schemas and priority levels that every cluster has: the mandatory ones, which stay as they are, and the
suggested ones, which may be changed."""

from __future__ import annotations

import functools

from pybernetes.api.types import flowcontrol_v1, meta_v1

_ANNOTATIONS = {"apf.kubernetes.io/autoupdate-spec": "true"}
_ALL = ("system:unauthenticated", "system:authenticated")
MANDATORY = ("catch-all", "exempt")

# name -> (shares, lendable percent, (queues, hand size, queue length limit))
_LEVELS = {
    "system": (30, 33, (64, 6, 50)),
    "node-high": (40, 25, (64, 6, 50)),
    "leader-election": (10, 0, (16, 4, 50)),
    "workload-high": (40, 50, (128, 6, 50)),
    "workload-low": (100, 90, (128, 6, 50)),
    "global-default": (20, 50, (128, 6, 50)),
}


@functools.cache
def priority_levels() -> tuple[flowcontrol_v1.PriorityLevelConfiguration, ...]:
    """Shared: read-only."""
    exempt = flowcontrol_v1.PriorityLevelConfigurationSpec(
        type="Exempt",
        exempt=flowcontrol_v1.ExemptPriorityLevelConfiguration(nominalConcurrencyShares=0, lendablePercent=0),
    )
    rejecting = flowcontrol_v1.LimitResponse(type="Reject")
    return (
        _level("exempt", exempt),
        _level("catch-all", _limited(5, 0, rejecting)),
        *(
            _level(name, _limited(shares, lendable, _queuing(*queuing)))
            for name, (shares, lendable, queuing) in _LEVELS.items()
        ),
    )


@functools.cache
def flow_schemas() -> tuple[flowcontrol_v1.FlowSchema, ...]:
    """Shared: read-only."""
    everything = [_resources("*", "*", "*", cluster=True)]
    everywhere = [_paths("*", "*")]
    managers = _users("system:kube-controller-manager", "system:kube-scheduler")
    accounts = flowcontrol_v1.Subject(
        kind="ServiceAccount",
        serviceAccount=flowcontrol_v1.ServiceAccountSubject(name="*", namespace="kube-system"),
    )
    leases = _resources("*", "coordination.k8s.io", "leases")
    electing = _resources("get,create,update", "coordination.k8s.io", "leases")
    nodes = _resources("*", "", "nodes,nodes/status", cluster=True)
    probes = [_paths("get", "/healthz,/readyz,/livez")]
    return (
        _schema("exempt", "exempt", 1, "", _groups("system:masters"), everything, everywhere),
        _schema("catch-all", "catch-all", 10000, "ByUser", _groups(*_ALL), everything, everywhere),
        _schema("system-nodes", "system", 500, "ByUser", _groups("system:nodes"), everything, everywhere),
        _schema("system-node-high", "node-high", 400, "ByUser", _groups("system:nodes"), [nodes, leases], []),
        _schema("probes", "exempt", 2, "", _groups(*_ALL), [], probes),
        _schema("system-leader-election", "leader-election", 100, "ByUser", [*managers, accounts], [electing], []),
        _schema("kube-controller-manager", "workload-high", 800, "ByNamespace", managers[:1], everything, everywhere),
        _schema("kube-scheduler", "workload-high", 800, "ByNamespace", managers[1:], everything, everywhere),
        _schema(
            "kube-system-service-accounts", "workload-high", 900, "ByNamespace", [accounts], everything, everywhere
        ),
        _schema(
            "service-accounts",
            "workload-low",
            9000,
            "ByUser",
            _groups("system:serviceaccounts"),
            everything,
            everywhere,
        ),
        _schema("global-default", "global-default", 9900, "ByUser", _groups(*_ALL), everything, everywhere),
    )


def _level(name: str, spec: flowcontrol_v1.PriorityLevelConfigurationSpec) -> flowcontrol_v1.PriorityLevelConfiguration:
    metadata = meta_v1.ObjectMeta(name=name, annotations=dict(_ANNOTATIONS))
    return flowcontrol_v1.PriorityLevelConfiguration(metadata=metadata, spec=spec)


def _limited(
    shares: int, lendable: int, response: flowcontrol_v1.LimitResponse
) -> flowcontrol_v1.PriorityLevelConfigurationSpec:
    return flowcontrol_v1.PriorityLevelConfigurationSpec(
        type="Limited",
        limited=flowcontrol_v1.LimitedPriorityLevelConfiguration(
            nominalConcurrencyShares=shares, lendablePercent=lendable, limitResponse=response
        ),
    )


def _queuing(queues: int, hand: int, length: int) -> flowcontrol_v1.LimitResponse:
    queuing = flowcontrol_v1.QueuingConfiguration(queues=queues, handSize=hand, queueLengthLimit=length)
    return flowcontrol_v1.LimitResponse(type="Queue", queuing=queuing)


def _groups(*names: str) -> list[flowcontrol_v1.Subject]:
    return [flowcontrol_v1.Subject(kind="Group", group=flowcontrol_v1.GroupSubject(name=name)) for name in names]


def _users(*names: str) -> list[flowcontrol_v1.Subject]:
    return [flowcontrol_v1.Subject(kind="User", user=flowcontrol_v1.UserSubject(name=name)) for name in names]


def _resources(verbs: str, group: str, resources: str, *, cluster: bool = False) -> flowcontrol_v1.ResourcePolicyRule:
    return flowcontrol_v1.ResourcePolicyRule(
        verbs=verbs.split(","),
        apiGroups=[group],
        resources=resources.split(","),
        namespaces=["*"],
        clusterScope=cluster,
    )


def _paths(verbs: str, urls: str) -> flowcontrol_v1.NonResourcePolicyRule:
    return flowcontrol_v1.NonResourcePolicyRule(verbs=verbs.split(","), nonResourceURLs=urls.split(","))


def _schema(
    name: str,
    level: str,
    precedence: int,
    distinguisher: str,
    subjects: list[flowcontrol_v1.Subject],
    resources: list[flowcontrol_v1.ResourcePolicyRule],
    paths: list[flowcontrol_v1.NonResourcePolicyRule],
) -> flowcontrol_v1.FlowSchema:
    return flowcontrol_v1.FlowSchema(
        metadata=meta_v1.ObjectMeta(name=name, annotations=dict(_ANNOTATIONS)),
        spec=flowcontrol_v1.FlowSchemaSpec(
            priorityLevelConfiguration=flowcontrol_v1.PriorityLevelConfigurationReference(name=level),
            matchingPrecedence=precedence,
            distinguisherMethod=flowcontrol_v1.FlowDistinguisherMethod(type=distinguisher) if distinguisher else None,
            rules=[
                flowcontrol_v1.PolicyRulesWithSubjects(
                    subjects=subjects, resourceRules=resources, nonResourceRules=paths
                )
            ],
        ),
    )
