"""Strict spread constraints hold for every pod at the moment it is bound, and keep no pod waiting for whom they hold.

What a constraint means is said once more here, pod by pod and node by node, over what the store has.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.client import Call
from pybernetes.kits.clock import settle
from tests.fakes.api import FakeApi
from tests.unit.scheduler import test_scheduler
from tests.unit.scheduler.board import node, pod

TAINT = core_v1.Taint(key="k", effect="NoSchedule")
KEYS = ("kubernetes.io/hostname", "zone", "rack")
NODES = {
    "n1": node("n1", zone="1", rack="1", tier="a"),
    "n2": node("n2", zone="1", rack="2", tier="a"),
    "n3": node("n3", zone="2", rack="1", tier="b"),
    "n4": node("n4", zone="2", tier="a"),
    "n5": node("n5", zone="3", rack="2", tier="b"),
    "n6": node("n6", rack="3", tier="a"),
}
NODES["n3"].spec.taints = [TAINT]
SELECTORS = (
    None,
    meta_v1.LabelSelector(),
    meta_v1.LabelSelector(matchLabels={"app": "x"}),
    meta_v1.LabelSelector(
        matchExpressions=[meta_v1.LabelSelectorRequirement(key="app", operator="In", values=["x", "y"])]
    ),
    meta_v1.LabelSelector(
        matchExpressions=[meta_v1.LabelSelectorRequirement(key="version", operator="NotIn", values=["2"])]
    ),
)
LABELS = st.sampled_from([{}, {"app": "x"}, {"app": "x", "version": "1"}, {"app": "x", "version": "2"}, {"app": "y"}])
POLICY = st.sampled_from([None, "Honor", "Ignore"])
CONSTRAINTS = st.lists(
    st.builds(
        core_v1.TopologySpreadConstraint,
        maxSkew=st.sampled_from([1, 1, 1, 2]),
        topologyKey=st.sampled_from(KEYS),
        whenUnsatisfiable=st.sampled_from(["DoNotSchedule", "DoNotSchedule", "ScheduleAnyway"]),
        labelSelector=st.sampled_from(SELECTORS),
        matchLabelKeys=st.sampled_from([[], ["version"]]),
        minDomains=st.sampled_from([None, None, 3, 4]),
        nodeAffinityPolicy=POLICY,
        nodeTaintsPolicy=POLICY,
    ),
    max_size=2,
    unique_by=lambda one: one.topologyKey,
)
PODS = st.builds(
    lambda labels, constraints, tier, required, tolerant: pod(
        labels=labels,
        topologySpreadConstraints=constraints,
        nodeSelector={"tier": tier} if tier and not required else {},
        affinity=affinity(tier) if tier and required else None,
        tolerations=[core_v1.Toleration(key="k", operator="Exists")] if tolerant else [],
    ),
    LABELS,
    CONSTRAINTS,
    st.sampled_from(["", "", "a", "b"]),
    st.booleans(),
    st.booleans(),
)
ACTIONS = ("delete", "remove", "remove", "take the node", "give the node back", "taint", "move", "relabel", "relabel")
STEPS = st.lists(
    st.one_of(st.tuples(PODS, st.integers(1, 5)), st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9))),
    min_size=4,
    max_size=16,
)


def affinity(tier: str) -> core_v1.Affinity:
    requirement = core_v1.NodeSelectorRequirement(key="tier", operator="In", values=[tier])
    term = core_v1.NodeSelectorTerm(matchExpressions=[requirement])
    return core_v1.Affinity(
        nodeAffinity=core_v1.NodeAffinity(
            requiredDuringSchedulingIgnoredDuringExecution=core_v1.NodeSelector(nodeSelectorTerms=[term])
        )
    )


# What a constraint means


def selects(one: core_v1.TopologySpreadConstraint, owner: core_v1.Pod, labels: Mapping[str, str]) -> bool:
    if one.labelSelector is None:
        return False
    if any(labels.get(key) != value for key, value in one.labelSelector.matchLabels.items()):
        return False
    for requirement in one.labelSelector.matchExpressions:
        if (labels.get(requirement.key) in requirement.values) != (requirement.operator == "In"):
            return False
    mine = owner.metadata.labels
    return all(labels.get(key) == mine[key] for key in one.matchLabelKeys if key in mine)


def selects_all(one: core_v1.TopologySpreadConstraint, owner: core_v1.Pod) -> bool:
    """An empty selector: such a constraint counts nobody."""
    selector = one.labelSelector
    narrowed = any(key in owner.metadata.labels for key in one.matchLabelKeys)
    return selector is not None and not (selector.matchLabels or selector.matchExpressions or narrowed)


def allows(one: core_v1.Pod, member: core_v1.Node) -> bool:
    """Whether selector and affinity do."""
    wanted = one.spec.nodeSelector.get("tier")
    if one.spec.affinity is not None and one.spec.affinity.nodeAffinity is not None:
        required = one.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
        assert required is not None
        [wanted] = required.nodeSelectorTerms[0].matchExpressions[0].values
    return wanted in (None, member.metadata.labels["tier"])


def tolerates(one: core_v1.Pod, member: core_v1.Node) -> bool:
    return bool(one.spec.tolerations) or not member.spec.taints


def problem(one: core_v1.Pod, member: core_v1.Node, nodes: Mapping[str, core_v1.Node], pods: list[core_v1.Pod]) -> str:
    """Which strict constraint of the pod does not hold there, and by how much; "" where all do."""
    hard = [c for c in one.spec.topologySpreadConstraints if c.whenUnsatisfiable == "DoNotSchedule"]
    for constraint in hard:
        key = constraint.topologyKey
        if key not in member.metadata.labels:
            return f"no label {key}"
        counts: collections.Counter[str] = collections.Counter()
        for name, other in nodes.items():
            labels = other.metadata.labels
            if any(c.topologyKey not in labels for c in hard):
                continue
            if constraint.nodeAffinityPolicy != "Ignore" and not allows(one, other):
                continue
            if constraint.nodeTaintsPolicy == "Honor" and not tolerates(one, other):
                continue
            there = (found for found in pods if found.spec.nodeName == name and not found.metadata.deletionTimestamp)
            chosen = sum(selects(constraint, one, found.metadata.labels) for found in there)
            counts[labels[key]] += 0 if selects_all(constraint, one) else chosen
        if not counts:
            # Nothing to compare with.
            continue
        lowest = min(counts.values()) if len(counts) >= (constraint.minDomains or 1) else 0
        itself = int(selects(constraint, one, one.metadata.labels))
        skew = counts[member.metadata.labels[key]] + itself - lowest
        if skew > constraint.maxSkew:
            return f"{key}={member.metadata.labels[key]}: {skew} of {constraint.maxSkew} ({dict(counts)})"
    return ""


# What happens


class Checking(FakeApi):
    """Looks at every binding, with the cluster as it was a moment before."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []

    async def send(self, call: Call) -> Any:
        answer = await super().send(call)
        if call.path.endswith("/binding"):
            name = call.path.split("/")[-2]
            bound = self.find(core_v1.Pod, name, "default")
            found = self.look(bound, call.body.target.name)
            if found:
                self.problems.append(f"{name} on {call.body.target.name}: {found}")
        return answer

    def look(self, one: core_v1.Pod, name: str) -> str:
        nodes = {member.metadata.name: member for member in self.all(core_v1.Node)}
        others = [other for other in self.all(core_v1.Pod) if other is not one]
        return problem(one, nodes[name], nodes, others)

    def needlessly_waiting(self) -> list[str]:
        """Pods without a node, and one that they could have."""
        return [
            f"{one.metadata.name}: {member.metadata.name}"
            for one in self.all(core_v1.Pod)
            for member in self.all(core_v1.Node)
            if not one.spec.nodeName
            and allows(one, member)
            and tolerates(one, member)
            and not self.look(one, member.metadata.name)
        ]

    def do(self, what: str, which: int) -> None:
        pods = [one for one in self.all(core_v1.Pod) if one.spec.nodeName]
        one = pods[which % len(pods)] if pods else None
        name = sorted(NODES)[which % len(NODES)]
        member = self.find(core_v1.Node, name)
        if what == "delete" and one is not None:
            self.change(one, lambda copy: setattr(copy.metadata, "deletionTimestamp", "2026-01-01T00:00:00Z"))
        elif what == "remove" and one is not None:
            self.remove(one)
        elif what == "relabel" and one is not None:
            self.change(one, lambda copy: setattr(copy.metadata, "labels", {"app": "y", "version": "2"}))
        elif what == "take the node" and member is not None:
            self.remove(member)
        elif what == "give the node back" and member is None:
            self.seed(NODES[name])
        elif what == "taint" and member is not None:
            self.change(member, lambda copy: setattr(copy.spec, "taints", [] if copy.spec.taints else [TAINT]))
        elif what == "move" and member is not None:
            self.change(member, lambda copy: copy.metadata.labels.update(zone="3"))


@settings(max_examples=150, deadline=None)
@given(STEPS)
async def test_constraints_hold_when_a_pod_is_bound(steps: list[tuple[Any, int]]) -> None:
    api = Checking()
    api.seed(*NODES.values())
    waiting: list[str] = []
    count = 0
    async for world in test_scheduler.running(test_scheduler.World(api=api)):
        for what, number in steps:
            if isinstance(what, str):
                api.do(what, number)
            else:
                for _ in range(number):
                    count += 1
                    what.metadata.name, what.metadata.uid = f"p{count}", f"u{count}"
                    api.seed(what)
            await settle()
        # Longer than any back-off, and less than after which all are tried again for no reason.
        await world.clock.advance(60)
        waiting = api.needlessly_waiting()
    assert api.problems == []
    assert waiting == []


async def test_the_loss_of_the_emptiest_zone_helps_those_that_were_kept_for_it() -> None:
    api = Checking()
    api.seed(NODES["n1"], NODES["n3"])
    zones = core_v1.TopologySpreadConstraint(
        maxSkew=1, topologyKey="zone", whenUnsatisfiable="DoNotSchedule", labelSelector=SELECTORS[2]
    )
    async for world in test_scheduler.running(test_scheduler.World(api=api)):
        for name in "ab":
            api.seed(pod(name=name, labels={"app": "x"}, topologySpreadConstraints=[zones]))
            await settle()
        assert sorted((world.where("a"), world.where("b"))) == ["", "n1"]
        api.remove(api.find(core_v1.Node, "n3"))
        await world.clock.advance(2)
        assert (world.where("a"), world.where("b")) == ("n1", "n1")
