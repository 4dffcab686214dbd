"""Which pods are removed for a more important one: nodes and pods in, candidates out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api import times
from pybernetes.api.types import core_v1, meta_v1, policy_v1
from pybernetes.kits.chance import Chance
from pybernetes.scheduler import preemption, shape
from tests.unit.scheduler.board import Board, Q, node, pod

NOW = 1_700_000_000.0


async def breathe() -> None:
    """Nothing else runs."""


def low(name: str, cpu: str, priority: int = 0, *, started: float = NOW - 100, **more: Any) -> core_v1.Pod:
    made = pod(cpu, name=name, priority=priority, **more)
    made.status = core_v1.PodStatus(startTime=times.to_time(started))
    return made


class Field(Board):
    def __init__(self, *members: core_v1.Node) -> None:
        super().__init__(*members)
        self.budgets: list[policy_v1.PodDisruptionBudget] = []

    def add(self, one: core_v1.Pod, where: str) -> str:
        uid = one.metadata.uid
        self.pods[uid] = one
        self.nodes.add_pod(uid, where, shape.of(one))
        return uid

    def budget(self, labels: dict[str, str], allowed: int, disrupted: tuple[str, ...] = ()) -> None:
        self.budgets.append(
            policy_v1.PodDisruptionBudget(
                metadata=meta_v1.ObjectMeta(name="b", namespace="default"),
                spec=policy_v1.PodDisruptionBudgetSpec(
                    selector=meta_v1.LabelSelector(matchLabels=labels),
                ),
                status=policy_v1.PodDisruptionBudgetStatus(
                    disruptionsAllowed=allowed, disruptedPods=dict.fromkeys(disrupted, "2026-01-01T00:00:00Z")
                ),
            )
        )

    def run(self, one: core_v1.Pod, promised: Any = None) -> preemption.Preemption:
        return preemption.Preemption(
            self.decide(one),
            self.nodes,
            pods=self.pods.__getitem__,
            priority=one.spec.priority or 0,
            promised=promised,
            budgets=self.budgets,
            now=NOW,
            args=preemption.Args(),
        )

    async def search(self, one: core_v1.Pod) -> preemption.Search:
        return await self.run(one).search(self.decide(one).misfit().resolvable, Chance(1), breathe)

    async def best(self, one: core_v1.Pod) -> tuple[str, list[str]]:
        found = preemption.pick((await self.search(one)).candidates, NOW)
        return found.node, [victim.metadata.name for victim in found.victims]


async def test_as_few_as_needed_and_the_less_important_first() -> None:
    field = Field(node("n1", cpu="3"))
    for name, priority in (("a", 1), ("b", 2), ("c", 3)):
        field.add(low(name, "1", priority), "n1")
    assert await field.best(pod("1", priority=10)) == ("n1", ["a"])
    assert await field.best(pod("2", priority=10)) == ("n1", ["b", "a"])
    assert (await field.search(pod("2", priority=2))).candidates == []


async def test_of_equal_priority_those_that_run_shorter_go_first() -> None:
    field = Field(node("n1", cpu="2"))
    field.add(low("old", "1", started=NOW - 1000), "n1")
    field.add(low("young", "1", started=NOW - 10), "n1")
    assert await field.best(pod("1", priority=10)) == ("n1", ["young"])


async def test_says_why_a_node_does_not_help() -> None:
    field = Field(node("n1", cpu="2"), node("n2", cpu="2"), node("n3", cpu="2"))
    field.add(low("important", "1", 100), "n1")
    field.add(low("unimportant", "1", 0), "n1")
    field.add(low("equal", "2", 10), "n2")
    field.add(low("lower", "2", 9), "n3")
    found = await field.search(pod("2", priority=10))
    assert [candidate.node for candidate in found.candidates] == ["n3"]
    assert found.reasons == {"Insufficient cpu": 1, "No preemption victims found for incoming pod": 1}


async def test_budgets_are_kept_where_possible() -> None:
    field = Field(node("n1", cpu="2"), node("n2", cpu="1"))
    field.add(low("guarded", "1", labels={"app": "db"}), "n1")
    field.add(low("free", "1", 5), "n1")
    field.add(low("other", "1", 6, labels={"app": "db"}), "n2")
    field.budget({"app": "db"}, 0)
    assert await field.best(pod("1", priority=10)) == ("n1", ["free"])
    found = await field.search(pod("2", priority=10))
    assert [(c.node, c.violations) for c in found.candidates] == [("n1", 1)]
    assert [victim.metadata.name for victim in found.candidates[0].victims] == ["free", "guarded"]


async def test_a_pod_whose_disruption_is_counted_already_does_not_violate_its_budget() -> None:
    field = Field(node("n1", cpu="1"))
    field.add(low("going", "1", labels={"app": "db"}), "n1")
    field.budget({"app": "db"}, 0, ("going",))
    assert [c.violations for c in (await field.search(pod("1", priority=1))).candidates] == [0]


async def test_the_node_is_chosen_by_harm() -> None:
    def candidate(name: str, *victims: core_v1.Pod, violations: int = 0) -> preemption.Candidate:
        return preemption.Candidate(name, victims, violations)

    def chosen(*candidates: preemption.Candidate) -> str:
        return preemption.pick(candidates, NOW).node

    assert chosen(candidate("n1", low("a", "1"), violations=1), candidate("n2", low("b", "1", 9))) == "n2"
    assert chosen(candidate("n1", low("a", "1", 5)), candidate("n2", low("b", "1", 4), low("c", "1", 4))) == "n2"
    assert chosen(candidate("n1", low("a", "1", 5), low("b", "1", 4)), candidate("n2", low("c", "1", 5))) == "n2"
    assert chosen(candidate("n1", low("a", "1", -5), low("b", "1", -5)), candidate("n2", low("c", "1", -5))) == "n2"
    young = candidate("n2", low("b", "1", started=NOW - 5))
    assert chosen(candidate("n1", low("a", "1", started=NOW - 50)), young) == "n2"
    assert chosen(candidate("n1", low("a", "1")), candidate("n3", low("a", "1"))) == "n1"


async def test_pods_that_are_promised_the_room_keep_it() -> None:
    field = Field(node("n1", cpu="1"))
    field.add(low("a", "1"), "n1")
    one = pod("1", priority=10)
    promised = {0: [("other", shape.of(pod("1", priority=10, name="other")))]}
    assert field.run(one, promised).dry_run(0) == ["Insufficient cpu"]
    assert field.decide(pod("1", priority=5)).place(promised) is None
    field.nodes.remove_pod("uid-a")
    assert field.decide(one).place(promised) is None
    assert field.decide(one).place() == "n1"


async def test_removal_frees_ports_and_ends_anti_affinity() -> None:
    field = Field(node("n1"))
    field.add(low("ports", "", ports=(80,)), "n1")
    term = core_v1.PodAffinityTerm(
        topologyKey="kubernetes.io/hostname", labelSelector=meta_v1.LabelSelector(matchLabels={"app": "x"})
    )
    loner = core_v1.Affinity(
        podAntiAffinity=core_v1.PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=[term])
    )
    field.add(low("loner", "", affinity=loner), "n1")
    field.add(low("harmless", ""), "n1")
    one = pod(ports=(80,), labels={"app": "x"}, priority=1)
    node_name, victims = await field.best(one)
    assert (node_name, sorted(victims)) == ("n1", ["loner", "ports"])


def test_who_may_not_preempt() -> None:
    field = Field(node("n1", cpu="1"))
    leaving = low("a", "1")
    field.add(leaving, "n1")
    one = pod("1", priority=10)
    misfit = field.decide(one).misfit()

    def reason(one: core_v1.Pod, nominated: str = "") -> str | None:
        return preemption.ineligible(one, nominated, misfit, field.nodes, field.pods.__getitem__)

    assert reason(pod(preemptionPolicy="Never")) == "not eligible due to preemptionPolicy=Never."
    assert reason(one, "n1") is None
    leaving.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
    assert reason(one, "n1") is None
    condition = core_v1.PodCondition(type="DisruptionTarget", status="True", reason="PreemptionByScheduler")
    leaving.status.conditions = [condition]
    assert reason(one, "n1") == "not eligible due to a terminating pod on the nominated node."
    assert reason(one, "gone") is None


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 5), st.integers(1, 4)), max_size=14),
    st.integers(-1, 5),
    st.integers(1, 5),
    st.integers(0, 2),
)
async def test_only_less_important_pods_go_none_too_many_and_the_table_stays(
    pods: list[tuple[int, int, int]], priority: int, cpu: int, allowed: int
) -> None:
    field = Field(*(node(f"n{number}", cpu="6", pods=4) for number in range(4)))
    field.budget({"app": "x"}, allowed)
    for number, (where, its_priority, its_cpu) in enumerate(pods):
        labels = {"app": "x"} if number % 2 else {}
        field.add(low(f"p{number}", str(its_cpu), its_priority, labels=labels), f"n{where}")
    one = pod(str(cpu), priority=priority)
    before = field.nodes.requested.copy(), dict(field.nodes.placed), field.nodes.lowest.copy()
    search = field.run(one)
    for row in range(4):
        found = search.dry_run(row)
        assert (field.nodes.requested == before[0]).all()
        assert field.nodes.placed == before[1]
        assert (field.nodes.lowest == before[2]).all()
        if isinstance(found, list):
            continue
        for victim in found.victims:
            assert (victim.spec.priority or 0) < priority
            field.nodes.remove_pod(victim.metadata.uid)
        assert field.decide(one).fits_row(row)
        # Each of them is in the way: with any one back, the pod does not fit.
        for victim in found.victims:
            uid = victim.metadata.uid
            field.nodes.add_pod(uid, found.node, before[1][uid].shape)
            assert not field.decide(one).fits_row(row)
            field.nodes.remove_pod(uid)
        for victim in found.victims:
            uid = victim.metadata.uid
            field.nodes.add_pod(uid, found.node, before[1][uid].shape)


# The whole choice, once more and plainly


BUDGETS = st.lists(
    st.tuples(
        st.sampled_from([{"app": "x"}, {"app": "y"}, {"tier": "1"}, {}]),
        st.integers(-1, 2),
        st.lists(st.sampled_from(["p0", "p1", "p2", "p3"]), max_size=2),
    ),
    max_size=3,
)
CROWD = st.lists(
    st.builds(
        lambda where, priority, cpu, port, started, labels, namespace: (
            f"n{where}",
            low(
                "",
                str(cpu),
                priority,
                started=NOW - started,
                ports=(port,) if port else (),
                labels=labels,
                namespace=namespace,
            ),
        ),
        st.integers(0, 4),
        st.integers(-2, 4),
        st.integers(0, 3),
        st.sampled_from([0, 0, 80]),
        st.integers(0, 3),
        st.sampled_from([{}, {"app": "x"}, {"app": "y"}, {"app": "x", "tier": "1"}]),
        st.sampled_from(["default", "default", "default", "other"]),
    ),
    max_size=18,
)


def fits(one: core_v1.Pod, others: Sequence[core_v1.Pod]) -> bool:
    """On a node of four cores and three pods."""
    everybody = [*others, one]
    cpu = sum(int(p.spec.containers[0].resources.requests.get("cpu", Q("0"))) for p in everybody)
    ports = [port.hostPort for p in everybody for port in p.spec.containers[0].ports]
    return cpu <= 4 and len(everybody) <= 3 and len(ports) == len(set(ports))


def rank(one: core_v1.Pod) -> tuple[int, float, str]:
    assert one.status.startTime is not None
    return -(one.spec.priority or 0), times.parse(one.status.startTime), one.metadata.uid


def breaking(pods: Sequence[core_v1.Pod], budgets: Sequence[policy_v1.PodDisruptionBudget]) -> list[core_v1.Pod]:
    """Those for whom some budget has nothing left, if they go one after the other."""
    left = [budget.status.disruptionsAllowed for budget in budgets]
    found = []
    for one in pods:
        hit = False
        for at, budget in enumerate(budgets):
            assert budget.spec.selector is not None
            wanted = budget.spec.selector.matchLabels
            if one.metadata.namespace != "default" or not wanted or one.metadata.name in budget.status.disruptedPods:
                continue
            if all(one.metadata.labels.get(key) == value for key, value in wanted.items()):
                left[at] -= 1
                hit = hit or left[at] < 0
        if hit:
            found.append(one)
    return found


def victims_on(
    there: list[core_v1.Pod], one: core_v1.Pod, budgets: Sequence[policy_v1.PodDisruptionBudget]
) -> tuple[list[core_v1.Pod], int] | None:
    """Who has to go, and how many of them against their budget; None: it would not help."""
    priority = one.spec.priority or 0
    stay = [p for p in there if (p.spec.priority or 0) >= priority]
    lower = sorted((p for p in there if (p.spec.priority or 0) < priority), key=rank)
    if fits(one, there) or not lower or not fits(one, stay):
        return None
    guarded = breaking(lower, budgets)
    gone = []
    for candidate in [*guarded, *(p for p in lower if p not in guarded)]:
        if fits(one, [*stay, candidate]):
            stay.append(candidate)
        else:
            gone.append(candidate)
    return sorted(gone, key=rank), sum(p in guarded for p in gone)


def harm(gone: list[core_v1.Pod], violations: int) -> tuple[float, ...]:
    priorities = [p.spec.priority or 0 for p in gone]
    highest = max(priorities)
    earliest = min(rank(p)[1] for p in gone if (p.spec.priority or 0) == highest)
    return violations, highest, sum(p + 2**31 for p in priorities), len(gone), -earliest


@settings(max_examples=400, deadline=None)
@given(CROWD, BUDGETS, st.integers(0, 5), st.integers(0, 4), st.booleans())
async def test_the_choice_is_the_one_that_harms_least(
    crowd: list[tuple[str, core_v1.Pod]], budgets: list[Any], priority: int, cpu: int, port: bool
) -> None:
    field = Field(*(node(f"n{number}", cpu="4", pods=3) for number in range(5)))
    for labels, allowed, disrupted in budgets:
        field.budget(labels, allowed, tuple(disrupted))
    there: dict[str, list[core_v1.Pod]] = {f"n{number}": [] for number in range(5)}
    for number, (where, made) in enumerate(crowd):
        made.metadata.name, made.metadata.uid = f"p{number}", f"uid-{number}"
        if fits(made, there[where]):
            there[where].append(made)
            field.add(made, where)
    one = pod(str(cpu), priority=priority, ports=(80,) if port else ())
    expected = {
        name: found for name, pods in there.items() if (found := victims_on(pods, one, field.budgets)) is not None
    }
    candidates = (await field.search(one)).candidates
    assert {c.node: (list(c.victims), c.violations) for c in candidates} == expected
    if candidates:
        best = preemption.pick(candidates, NOW)
        assert harm(*expected[best.node]) == min(harm(*found) for found in expected.values())
