"""What the tables answer equals what a plain loop over nodes and pods answers, also after pods came and went."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.informers import cache
from pybernetes.scheduler import cycle, worlds
from pybernetes.scheduler.plugins import inter_pod_affinity, pod_topology_spread
from tests.unit.scheduler import reference
from tests.unit.scheduler.board import Board, node, pod

SPREAD = (cycle.Weighted(pod_topology_spread.PodTopologySpread(), 1),)
AFFINITY = (cycle.Weighted(inter_pod_affinity.InterPodAffinity(), 1),)
NAMESPACES = {"default": {"team": "a"}, "other": {"team": "b"}, "third": {}}
KEYS = ("kubernetes.io/hostname", "zone", "rack")

LABELS: tuple[dict[str, str], ...] = ({"app": "x"}, {"app": "y"}, {"tier": "x"}, {"app": "x", "tier": "x"})
labels = st.sampled_from(({}, *LABELS))
selector = st.one_of(
    st.none(),
    labels.map(lambda found: meta_v1.LabelSelector(matchLabels=found)),
    st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist")).map(
        lambda operator: meta_v1.LabelSelector(
            matchExpressions=[
                meta_v1.LabelSelectorRequirement(
                    key="app", operator=operator, values=["x"] if operator.endswith("In") else []
                )
            ]
        )
    ),
)
constraint = st.builds(
    core_v1.TopologySpreadConstraint,
    maxSkew=st.integers(1, 3),
    topologyKey=st.sampled_from(KEYS),
    whenUnsatisfiable=st.sampled_from(("DoNotSchedule", "ScheduleAnyway")),
    labelSelector=st.sampled_from(LABELS).map(lambda found: meta_v1.LabelSelector(matchLabels=found)),
    minDomains=st.one_of(st.none(), st.integers(1, 4)),
    nodeAffinityPolicy=st.sampled_from((None, "Honor", "Ignore")),
    nodeTaintsPolicy=st.sampled_from((None, "Honor", "Ignore")),
)
term = st.builds(
    core_v1.PodAffinityTerm,
    topologyKey=st.sampled_from(KEYS),
    labelSelector=selector,
    namespaces=st.lists(st.sampled_from(sorted(NAMESPACES)), max_size=2, unique=True),
    namespaceSelector=st.one_of(
        st.none(),
        st.just(meta_v1.LabelSelector()),
        st.just(meta_v1.LabelSelector(matchLabels={"team": "b"})),
    ),
)
weighted = st.builds(core_v1.WeightedPodAffinityTerm, weight=st.integers(1, 100), podAffinityTerm=term)


def halves(kind: Any) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.none(),
        st.builds(
            kind,
            requiredDuringSchedulingIgnoredDuringExecution=st.lists(term, max_size=2),
            preferredDuringSchedulingIgnoredDuringExecution=st.lists(weighted, max_size=2),
        ),
    )


affinity = st.one_of(
    st.none(),
    st.builds(
        core_v1.Affinity, podAffinity=halves(core_v1.PodAffinity), podAntiAffinity=halves(core_v1.PodAntiAffinity)
    ),
)


@st.composite
def nodes(draw: st.DrawFn) -> list[core_v1.Node]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        extra = {key: draw(st.sampled_from(("1", "2", "3"))) for key in ("zone", "rack") if draw(st.booleans())}
        made = node(f"n{number}", **extra)
        if draw(st.integers(0, 5)) == 0:
            made.spec.taints = [core_v1.Taint(key="k", effect="NoSchedule")]
        found.append(made)
    return found


@st.composite
def pods(draw: st.DrawFn, number: int, spread: bool) -> core_v1.Pod:
    spec: dict[str, Any] = {}
    if spread:
        asked = draw(st.lists(constraint, max_size=3))
        unique = {(one.topologyKey, one.whenUnsatisfiable): one for one in asked}
        spec["topologySpreadConstraints"] = list(unique.values())
        if draw(st.integers(0, 3)) == 0:
            spec["nodeSelector"] = {"zone": "1"}
    else:
        spec["affinity"] = draw(affinity)
    made = pod(name=f"p{number}", namespace=draw(st.sampled_from(sorted(NAMESPACES))), labels=draw(labels), **spec)
    if spread and draw(st.integers(0, 5)) == 0:
        made.metadata.deletionTimestamp = "2026-01-01T00:00:00Z"
    return made


@st.composite
def clusters(
    draw: st.DrawFn, spread: bool
) -> tuple[list[core_v1.Node], list[tuple[core_v1.Pod, str, bool]], list[Any]]:
    members = draw(nodes())
    names = [member.metadata.name for member in members]
    placed = [
        (draw(pods(number, spread)), draw(st.sampled_from(names)), draw(st.integers(0, 3)) == 0)
        for number in range(draw(st.integers(0, 8)))
    ]
    return members, placed, [draw(pods(100 + number, spread)) for number in range(2)]


def world() -> worlds.World:
    known: cache.Writable[core_v1.Namespace] = cache.Writable()
    for name, found in NAMESPACES.items():
        known.put(name, core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name, labels=found)))
    return worlds.World({core_v1.Namespace: known})


def ranks(board: Board, decision: cycle.Cycle) -> dict[str, int]:
    fits = decision.feasible()
    totals = decision.totals(fits)
    return {name: int(totals[row]) for name, row in board.nodes.rows.items() if fits[row]}


def play(members: list[core_v1.Node], placed: list[Any], incoming: list[core_v1.Pod], plugins: Any) -> Any:
    """Decisions that were made before the pods came and went, fresh ones, and who is there in the end."""
    board = Board(*members, world=world())
    kept = [board.decide(one, plugins) for one in incoming]
    uids = []
    for one, where, leaves in placed:
        uids.append((board.add(one, where), one, where, leaves))
        for decision in kept:
            decision.feasible()
    for uid, _, _, leaves in uids:
        if leaves:
            board.nodes.remove_pod(uid)
    fresh = [board.decide(one, plugins) for one in incoming]
    existing = [reference.Existing(one, where) for _, one, where, leaves in uids if not leaves]
    return board, kept, fresh, existing


@settings(max_examples=300, deadline=None)
@given(clusters(spread=True))
def test_topology_spread(drawn: Any) -> None:
    members, placed, incoming = drawn
    named = {member.metadata.name: member for member in members}
    board, kept, fresh, existing = play(members, placed, incoming, SPREAD)
    for one, old, new in zip(incoming, kept, fresh, strict=True):
        fits = reference.spread_fits(one, named, existing)
        expected = dict.fromkeys(fits, 0)
        if any(c.whenUnsatisfiable == "ScheduleAnyway" for c in one.spec.topologySpreadConstraints):
            expected = reference.spread_scores(one, named, existing, fits)
        assert ranks(board, new) == expected
        assert ranks(board, old) == expected


@settings(max_examples=300, deadline=None)
@given(clusters(spread=False))
def test_inter_pod_affinity(drawn: Any) -> None:
    members, placed, incoming = drawn
    named = {member.metadata.name: member for member in members}
    board, kept, fresh, existing = play(members, placed, incoming, AFFINITY)
    for one, old, new in zip(incoming, kept, fresh, strict=True):
        problems = reference.affinity_fits(one, named, existing, NAMESPACES)
        fits = set(named) - set(problems)
        expected = reference.affinity_scores(one, named, existing, NAMESPACES, fits)
        assert ranks(board, new) == expected
        assert ranks(board, old) == expected
        counted: dict[str, int] = {}
        for problem in problems.values():
            counted[problem] = counted.get(problem, 0) + 1
        assert new.misfit().reasons == counted


@settings(max_examples=100, deadline=None)
@given(nodes(), st.integers(1, 3), st.integers(1, 20))
def test_skew_never_exceeds_what_is_allowed(members: list[core_v1.Node], skew: int, number: int) -> None:
    board = Board(*members)
    asked = core_v1.TopologySpreadConstraint(
        maxSkew=skew,
        topologyKey="zone",
        whenUnsatisfiable="DoNotSchedule",
        labelSelector=meta_v1.LabelSelector(matchLabels={"app": "x"}),
        nodeTaintsPolicy="Honor",
    )
    one = pod(labels={"app": "x"}, topologySpreadConstraints=[asked])
    decision = board.decide(one)
    zones = {m.metadata.name: m.metadata.labels["zone"] for m in members if "zone" in m.metadata.labels}
    counts = {zones[m.metadata.name]: 0 for m in members if m.metadata.name in zones and not m.spec.taints}
    for _ in range(number):
        where = decision.place()
        if where is None:
            break
        board.add(one, where)
        counts[zones[where]] += 1
        assert max(counts.values()) - min(counts.values()) <= skew
