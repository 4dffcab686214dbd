"""Which pods to remove so that a more important one fits: candidates by dry run, and the best of them.

A dry run takes the less important pods off a row of the table, lets those back that do not hinder, the important ones
and those under a disruption budget first, and puts everything back as it was. Nothing is written here.
"""

from __future__ import annotations

import collections
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from pybernetes.api import fields, times
from pybernetes.api.types import core_v1, policy_v1
from pybernetes.kits.chance import Chance
from pybernetes.scheduler import cycle as cycles
from pybernetes.scheduler import failure, terms
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler.plugins import arguments

NAME = "DefaultPreemption"
CONDITION = "DisruptionTarget"
REASON = "PreemptionByScheduler"
NEVER = "not eligible due to preemptionPolicy=Never."
STILL_LEAVING = "not eligible due to a terminating pod on the nominated node."
# All priorities plus this are above zero, so that more victims always weigh more than fewer.
_LIFT = 2**31
# A dry run is this much work at most before others get their turn.
_ROWS_AT_ONCE = 4


class Args(arguments.Args, kw_only=True):
    """`pluginConfig` of DefaultPreemption."""

    minCandidateNodesPercentage: int = 10
    minCandidateNodesAbsolute: int = 100

    def problems(self, path: fields.Path) -> list[fields.FieldError]:
        share, number = self.minCandidateNodesPercentage, self.minCandidateNodesAbsolute
        share_at, number_at = path["minCandidateNodesPercentage"], path["minCandidateNodesAbsolute"]
        found = []
        if not 0 <= share <= 100:
            found.append(fields.invalid(share_at, share, "not in valid range [0, 100]"))
        if number < 0:
            found.append(fields.invalid(number_at, number, "not in valid range [0, inf)"))
        if not share and not number:
            same = "cannot be zero at the same time as"
            found.append(fields.invalid(share_at, share, f"{same} minCandidateNodesAbsolute"))
            found.append(fields.invalid(number_at, number, f"{same} minCandidateNodesPercentage"))
        return found


class Candidate(NamedTuple):
    """A node that the pod fits without the victims, who come in descending order of importance."""

    node: str
    victims: tuple[core_v1.Pod, ...]
    violations: int


class Search(NamedTuple):
    """What was found, and why the other nodes are none, as counted reasons."""

    candidates: list[Candidate]
    reasons: dict[str, int]


def ineligible(
    pod: core_v1.Pod, nominated: str, misfit: cycles.Misfit, nodes: tables.Nodes, pods: Callable[[str], core_v1.Pod]
) -> str | None:
    """Why a pod may not have others removed now, or None."""
    if pod.spec.preemptionPolicy == "Never":
        return NEVER
    row = nodes.rows.get(nominated) if nominated else None
    if row is None or row not in misfit.resolvable:
        return None
    priority = pod.spec.priority or 0
    for uid in nodes.pods_on(row):
        if nodes.placed[uid].shape.priority < priority and _leaving(pods(uid)):
            return STILL_LEAVING
    return None


def _leaving(pod: core_v1.Pod) -> bool:
    """Whether it is being deleted because of an earlier preemption."""
    if pod.metadata.deletionTimestamp is None:
        return False
    found = next((condition for condition in pod.status.conditions if condition.type == CONDITION), None)
    return found is not None and found.status == "True" and found.reason == REASON


class Preemption:
    """The search for one pod. `pods` answers a placed pod by uid; `now` is in seconds since the epoch."""

    def __init__(
        self,
        decision: cycles.Cycle,
        nodes: tables.Nodes,
        *,
        pods: Callable[[str], core_v1.Pod],
        priority: int,
        promised: cycles.Promised | None,
        budgets: Iterable[policy_v1.PodDisruptionBudget],
        now: float,
        args: Args,
    ) -> None:
        self._decision, self._nodes, self._pods, self._priority = decision, nodes, pods, priority
        self._promised, self._now, self._args = promised, now, args
        self._budgets = [(budget, terms.selector_of(budget.spec.selector)) for budget in budgets]

    async def search(self, resolvable: Sequence[int], chance: Chance, breathe: Callable[[], Awaitable[None]]) -> Search:
        """Dry runs, from a random node on, until there are enough candidates; `breathe` lets others run in between."""
        version = self._decision.version
        if self._nodes.version != version:
            return Search([], {})
        reasons: collections.Counter[str] = collections.Counter()
        helpful = [row for row in resolvable if self._nodes.lowest[row] < self._priority]
        if len(resolvable) > len(helpful):
            reasons[failure.NO_VICTIMS] = len(resolvable) - len(helpful)
        clean: list[Candidate] = []
        violating: list[Candidate] = []
        wanted = self._wanted(len(resolvable))
        offset = chance.below(len(helpful)) if helpful else 0
        for count, row in enumerate((*helpful[offset:], *helpful[:offset])):
            if count % _ROWS_AT_ONCE == _ROWS_AT_ONCE - 1:
                await breathe()
                if self._nodes.version != version:
                    # The rows may stand for other nodes now; what was found so far is still good.
                    break
            found = self.dry_run(row)
            if isinstance(found, Candidate):
                (violating if found.violations else clean).append(found)
                if clean and len(clean) + len(violating) >= wanted:
                    break
            else:
                reasons.update(found)
        return Search(clean + violating, dict(reasons))

    def _wanted(self, possible: int) -> int:
        share = possible * self._args.minCandidateNodesPercentage // 100
        return min(max(share, self._args.minCandidateNodesAbsolute), possible)

    def dry_run(self, row: int) -> Candidate | list[str]:
        """The pods to remove from one row, or why that would not help. The table is left as it was."""
        nodes, name = self._nodes, self._nodes.names[row]
        lower = [uid for uid in nodes.pods_on(row) if nodes.placed[uid].shape.priority < self._priority]
        if not lower:
            return [failure.NO_VICTIMS]
        held = {uid: (nodes.placed[uid].shape, self._pods(uid)) for uid in lower}
        for uid in lower:
            nodes.remove_pod(uid)
        out = set(lower)
        try:
            if not self._decision.fits_row(row, self._promised):
                return self._decision.reasons_row(row, self._promised)
            # Equal ones in an order that is the same in every run; the table's is not.
            ordered = sorted(lower, key=lambda uid: (importance(held[uid][1], self._now), uid))
            violating = self._violating([held[uid][1] for uid in ordered])
            violations = 0
            for uid in sorted(ordered, key=lambda uid: uid not in violating):
                nodes.add_pod(uid, name, held[uid][0])
                if self._decision.fits_row(row, self._promised):
                    out.discard(uid)
                else:
                    nodes.remove_pod(uid)
                    violations += uid in violating
            return Candidate(name, tuple(held[uid][1] for uid in ordered if uid in out), violations)
        finally:
            for uid in lower:
                if uid not in nodes.placed:
                    nodes.add_pod(uid, name, held[uid][0])

    def _violating(self, victims: Sequence[core_v1.Pod]) -> set[str]:
        """Those whose removal, one after the other, would break a disruption budget."""
        allowed = [budget.status.disruptionsAllowed for budget, _ in self._budgets]
        found = set()
        for pod in victims:
            labels = pod.metadata.labels
            if not labels:
                continue
            for at, (budget, selector) in enumerate(self._budgets):
                if budget.metadata.namespace != pod.metadata.namespace or selector.empty:
                    continue
                if not selector.matches(labels) or pod.metadata.name in budget.status.disruptedPods:
                    continue
                allowed[at] -= 1
                if allowed[at] < 0:
                    found.add(pod.metadata.uid)
        return found


def importance(pod: core_v1.Pod, now: float) -> tuple[int, float]:
    """Sorts the most important pod first: by priority, then by how long it runs."""
    return -(pod.spec.priority or 0), _started(pod, now)


def _started(pod: core_v1.Pod, now: float) -> float:
    return times.parse(pod.status.startTime) if pod.status.startTime is not None else now


def pick(candidates: Sequence[Candidate], now: float) -> Candidate:
    """The node where removal harms least: budgets, then the highest priority, then the sum, the number, the age."""

    def harm(candidate: Candidate) -> tuple[float, ...]:
        priorities = [victim.spec.priority or 0 for victim in candidate.victims]
        highest = max(priorities)
        earliest = min(
            _started(victim, now)
            for victim, priority in zip(candidate.victims, priorities, strict=True)
            if priority == highest
        )
        return (
            candidate.violations,
            priorities[0],
            sum(priority + _LIFT for priority in priorities),
            len(priorities),
            -earliest,
        )

    return min(candidates, key=harm)
