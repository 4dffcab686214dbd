"""What to do about a Job: pure, the Job and its pods in, a status and intents out."""

from __future__ import annotations

import collections
from collections.abc import Container
from dataclasses import dataclass, field

from pybernetes.api import codecs, times
from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers import conditions, pods
from pybernetes.controllers.job import backoff, counting, ending, indexes, policies

SUSPENDED = "Suspended"
# Pods created, or deleted, in one go.
BURST = 500


@dataclass(slots=True)
class Decision:
    """What to do, in this order: `drop` pods (take the finalizer, then delete: they count for nothing), `delete` some
    (they keep it, and will be counted), `create` so many (with those `marks`, if Indexed), write `status`, remember
    `backoff`, `free` some of the finalizer."""

    status: batch_v1.JobStatus
    backoff: backoff.Backoff
    drop: list[core_v1.Pod] = field(default_factory=list)
    delete: list[core_v1.Pod] = field(default_factory=list)
    create: int = 0
    marks: list[indexes.Mark] = field(default_factory=list)
    free: list[core_v1.Pod] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)
    again: float | None = None

    def look_again(self, seconds: float) -> None:
        self.again = seconds if self.again is None else min(seconds, self.again)


def is_finished(job: batch_v1.Job) -> bool:
    return any(c.type in (ending.COMPLETE, ending.FAILED) and c.status == "True" for c in job.status.conditions)


def decide(
    job: batch_v1.Job, owned: list[core_v1.Pod], freed: Container[str], before: backoff.Backoff, now: float
) -> Decision:
    """One step. `freed`: uids of pods whose finalizers are gone, whatever they show; `before`: the back-off so far."""
    status = codecs.copy(job.status)
    tally = counting.take(job, status, owned, freed, before)
    decision = Decision(status, tally.backoff)
    if job.metadata.deletionTimestamp is not None:
        counting.note(job, status, tally)
        decision.free = tally.tracked
        _count(decision, tally)
        return decision
    if not status.startTime and not job.spec.suspend:
        status.startTime = times.to_time(now)
    end = ending.before_sizing(job, status, owned, tally, now)
    if end is None:
        _size(job, decision, tally, now)
        end = ending.by_completions(job, tally, len(tally.active) - len(decision.drop) + decision.create)
        if end is None:
            _tell_suspension(job, decision, now)
            left = ending.deadline_in(job, status, now)
            if left is not None:
                decision.look_again(left)
    else:
        decision.delete = tally.active
    # Pods that this very step deletes are looked at when they are seen to terminate.
    decision.free = counting.note(job, status, tally, ending=_fate(end))
    _count(decision, tally)
    if end is not None:
        _finish(job, decision, tally, end, now)
    return decision


def _fate(end: ending.Ending | None) -> str:
    """What the end means for pods that terminate. Of a success just met, those that others deleted have failed."""
    if end is None or (end.kind == ending.COMPLETE and not end.known):
        return ""
    return end.kind


def _count(decision: Decision, tally: counting.Tally) -> None:
    status = decision.status
    going = [*decision.drop, *decision.delete]
    gone = {pod.metadata.uid for pod in going}
    status.active = len(tally.active) - len(going) + decision.create
    status.ready = sum(pods.is_ready(pod) for pod in tally.active if pod.metadata.uid not in gone)
    status.terminating = len(tally.terminating) + len(going)


def _finish(job: batch_v1.Job, decision: Decision, tally: counting.Tally, end: ending.Ending, now: float) -> None:
    """Set the interim condition, and the final one when every pod has ended and is counted."""
    status = decision.status
    _condition(status, end.interim, "True", end.reason, end.message, now)
    if status.active or status.terminating or tally.tracked:
        return
    _condition(status, end.kind, "True", end.reason, end.message, now)
    if end.kind == ending.COMPLETE:
        status.completionTime = times.to_time(now)
        if job.spec.completions is not None and status.succeeded > job.spec.completions:
            message = "Too many succeeded pods running after completion count reached"
            decision.events.append(("Warning", "TooManySucceededPods", message))
        decision.events.append(("Normal", "Completed", "Job completed"))
    else:
        decision.events.append(("Warning", end.reason, end.message))


def _tell_suspension(job: batch_v1.Job, decision: Decision, now: float) -> None:
    status = decision.status
    known = conditions.find(status.conditions, SUSPENDED)
    is_told = known is not None and known.status == "True"
    if bool(job.spec.suspend) is is_told:
        return
    if job.spec.suspend:
        _condition(status, SUSPENDED, "True", "JobSuspended", "Job suspended", now)
        decision.events.append(("Normal", "Suspended", "Job suspended"))
        status.startTime = None
    else:
        _condition(status, SUSPENDED, "False", "JobResumed", "Job resumed", now)
        decision.events.append(("Normal", "Resumed", "Job resumed"))
        # The time it was suspended for does not count towards the deadline.
        status.startTime = times.to_time(now)


def _size(job: batch_v1.Job, decision: Decision, tally: counting.Tally, now: float) -> None:
    """Drop pods that are too many, or create what is missing; not both in one step."""
    if job.spec.suspend:
        decision.drop = tally.active
        return
    wanted = _wanted(job, tally)
    decision.drop = _superfluous(job, tally.active, len(tally.active) - wanted, now)[:BURST]
    if decision.drop:
        return
    missing = wanted - len(tally.active)
    if counting.only_failed_are_replaced(job):
        missing -= len(tally.terminating)
    if missing <= 0:
        return
    wait = 0.0 if counting.is_limited_by_index(job) else tally.backoff.left(now)
    if wait > 0:
        decision.look_again(wait)
        return
    decision.create = min(missing, BURST)
    if counting.is_indexed(job):
        _choose_indexes(job, decision, tally, now)


def _wanted(job: batch_v1.Job, tally: counting.Tally) -> int:
    """How many pods should be active."""
    parallelism = 1 if job.spec.parallelism is None else job.spec.parallelism
    if job.spec.completions is not None:
        return max(min(job.spec.completions - tally.succeeded, parallelism), 0)
    # After the first success what is running may go on running, and no more is begun.
    return len(tally.active) if tally.succeeded else parallelism


def _choose_indexes(job: batch_v1.Job, decision: Decision, tally: counting.Tally, now: float) -> None:
    """Which of the lowest free indexes to begin with: those whose own back-off, if they have one, has passed."""
    completions = job.spec.completions or 0
    taken = tally.done.plus(indexes.of_pods(tally.active, completions))
    if counting.only_failed_are_replaced(job):
        taken = taken.plus(indexes.of_pods(tally.terminating, completions))
    if tally.failed_indexes is not None:
        taken = taken.union(tally.failed_indexes)
    free = taken.missing(decision.create, completions)
    waits = {index: backoff.of_index(tally.waiting.get(index)).left(now) for index in free}
    decision.marks = [_mark(job, index, tally) for index in free if waits[index] <= 0]
    decision.create = len(decision.marks)
    left = [wait for wait in waits.values() if wait > 0]
    if left:
        decision.look_again(min(left))


def _mark(job: batch_v1.Job, index: int, tally: counting.Tally) -> indexes.Mark:
    if not counting.is_limited_by_index(job):
        return indexes.Mark(index)
    replaced = tally.waiting.get(index)
    if replaced is None:
        return indexes.Mark(index, failures=0)
    counts = policies.on_failure(job.spec.podFailurePolicy, replaced).counts
    failures, ignored = indexes.failures_of(replaced), indexes.ignored_failures_of(replaced)
    return indexes.Mark(index, failures=failures + counts, ignored=ignored + (not counts))


def _superfluous(job: batch_v1.Job, active: list[core_v1.Pod], at_least: int, now: float) -> list[core_v1.Pod]:
    """Pods without an index of their own, and then so many others that it is `at_least` that number."""
    left, found = active, []
    if counting.is_indexed(job):
        by_index: dict[int | None, list[core_v1.Pod]] = collections.defaultdict(list)
        for pod in active:
            by_index[indexes.index_of(pod, job.spec.completions or 0)].append(pod)
        found = by_index.pop(None, [])
        left = []
        for same in by_index.values():
            *others, best = pods.deletion_order(same, {}, now) if len(same) > 1 else same
            found.extend(others)
            left.append(best)
    if len(found) < at_least:
        found = found + pods.deletion_order(left, {}, now)[: at_least - len(found)]
    return found


def _condition(status: batch_v1.JobStatus, kind: str, state: str, reason: str, message: str, now: float) -> None:
    known = conditions.find(status.conditions, kind)
    if known is not None and (known.status, known.reason, known.message) == (state, reason, message):
        return
    stamp = times.to_time(now)
    fresh = batch_v1.JobCondition(
        type=kind, status=state, reason=reason, message=message, lastProbeTime=stamp, lastTransitionTime=stamp
    )
    status.conditions = [*conditions.without(status.conditions, kind), fresh]
