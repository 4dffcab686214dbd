"""Whether a Job comes to its end, and why: what was told before counts first, then failures, then successes."""

from __future__ import annotations

from dataclasses import dataclass

from pybernetes.api import times
from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers import conditions, pods
from pybernetes.controllers.job import counting, policies

COMPLETE, FAILED = "Complete", "Failed"
DEFAULT_BACKOFF_LIMIT = 6


@dataclass(frozen=True, slots=True)
class Ending:
    """`kind` is the condition at the end (COMPLETE, FAILED); `known`: it was decided before."""

    kind: str
    reason: str
    message: str
    known: bool = False

    @property
    def interim(self) -> str:
        """The condition that tells of it until all pods have ended and are counted."""
        return counting.SUCCESS_MET if self.kind == COMPLETE else counting.FAILURE_TARGET


COMPLETIONS = Ending(COMPLETE, "CompletionsReached", "Reached expected number of succeeded pods")


def before_sizing(
    job: batch_v1.Job, status: batch_v1.JobStatus, owned: list[core_v1.Pod], tally: counting.Tally, now: float
) -> Ending | None:
    """What ends the Job whatever its size should be; None: nothing."""
    for kind, interim in ((COMPLETE, counting.SUCCESS_MET), (FAILED, counting.FAILURE_TARGET)):
        known = conditions.find(status.conditions, interim)
        if known is not None and known.status == "True":
            return Ending(kind, known.reason, known.message, known=True)
    failure = (
        _by_policy(job, owned)
        or _by_limit(job, owned, tally)
        or _by_deadline(job, status, now)
        or _by_index(job, tally)
    )
    if failure is not None:
        return Ending(FAILED, *failure)
    message = ""
    if counting.is_indexed(job):
        message = policies.on_success(job.spec.successPolicy, tally.done, job.spec.completions or 0)
    return Ending(COMPLETE, "SuccessPolicy", message) if message else None


def by_completions(job: batch_v1.Job, tally: counting.Tally, active: int) -> Ending | None:
    """Success by numbers. Without completions any success is enough, once the others have come to their end."""
    enough = 1 if job.spec.completions is None else job.spec.completions
    return COMPLETIONS if tally.succeeded >= enough and not active else None


def _by_policy(job: batch_v1.Job, owned: list[core_v1.Pod]) -> tuple[str, str] | None:
    policy = job.spec.podFailurePolicy
    if policy is None:
        return None
    for pod in owned:
        verdict = policies.on_failure(policy, pod) if counting.has_failed(job, pod) else policies.Verdict()
        if verdict.message:
            return "PodFailurePolicy", verdict.message
    return None


def _by_limit(job: batch_v1.Job, owned: list[core_v1.Pod], tally: counting.Tally) -> tuple[str, str] | None:
    limit = DEFAULT_BACKOFF_LIMIT if job.spec.backoffLimit is None else job.spec.backoffLimit
    if tally.failed > limit or _restarts_exceed(job, owned, limit):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    return None


def _restarts_exceed(job: batch_v1.Job, owned: list[core_v1.Pod], limit: int) -> bool:
    if job.spec.template.spec.restartPolicy != "OnFailure":
        return False
    restarts = sum(
        container.restartCount
        for pod in owned
        if not pods.is_terminal(pod)
        for container in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    )
    return restarts >= max(limit, 1)


def deadline_in(job: batch_v1.Job, status: batch_v1.JobStatus, now: float) -> float | None:
    """Seconds until the Job has been active for too long; None: it may be for ever."""
    if job.spec.activeDeadlineSeconds is None or not status.startTime or job.spec.suspend:
        return None
    return times.parse(status.startTime) + job.spec.activeDeadlineSeconds - now


def _by_deadline(job: batch_v1.Job, status: batch_v1.JobStatus, now: float) -> tuple[str, str] | None:
    left = deadline_in(job, status, now)
    if left is not None and left <= 0:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return None


def _by_index(job: batch_v1.Job, tally: counting.Tally) -> tuple[str, str] | None:
    if tally.failed_indexes is None:
        return None
    failed = len(tally.failed_indexes)
    if job.spec.maxFailedIndexes is not None and failed > job.spec.maxFailedIndexes:
        return "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
    if failed and failed + len(tally.done) >= (job.spec.completions or 0):
        return "FailedIndexes", "Job has failed indexes"
    return None
