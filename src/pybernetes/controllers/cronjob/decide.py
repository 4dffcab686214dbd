"""When a CronJob is due, and what its Jobs look like. Pure; times are epoch seconds."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from pybernetes.api import codecs, schedules, times
from pybernetes.api.types import batch_v1, meta_v1
from pybernetes.controllers import owners
from pybernetes.controllers.job import ending as jobs

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
# More missed starts than that are worth a warning.
MANY = 100
# Woken a moment after the time, so that it is over.
DELTA = 0.1


class Invalid(Exception):
    """The schedule is never due, or always."""


@dataclass(frozen=True, slots=True)
class Due:
    """`at` is the latest start that is due, None if none is; `missed` counts those since `earliest`."""

    earliest: float
    at: float | None = None
    missed: int = 0


def due(cron_job: batch_v1.CronJob, schedule: schedules.Schedule, now: float, *, deadline: bool = True) -> Due:
    """Of all starts since the last one, the latest; `deadline` leaves out those that are too late. Raises Invalid."""
    earliest = times.parse(cron_job.metadata.creationTimestamp or times.to_time(now))
    if cron_job.status.lastScheduleTime:
        earliest = times.parse(cron_job.status.lastScheduleTime)
    limit = cron_job.spec.startingDeadlineSeconds
    if deadline and limit is not None:
        earliest = max(earliest, now - limit)
    first = schedule.next(earliest)
    if first is None:
        raise Invalid("time difference between two schedules is less than 1 second")
    if now < first:
        return Due(earliest)
    second = schedule.next(first)
    if second is not None and now < second:
        return Due(earliest, first)
    if second is None or second - first < 1:
        raise Invalid("time difference between two schedules is less than 1 second")
    gap = int(second - first)
    missed = int(now - first) // gap + 1
    # Back to just before the last of them by the gap of the first two; from there on exactly.
    latest, at = None, schedule.next(first + (missed - 2) * gap)
    while at is not None and at <= now:
        latest, at = at, schedule.next(at)
    return Due(earliest, latest, missed)


def wait(cron_job: batch_v1.CronJob, schedule: schedules.Schedule, now: float) -> float | None:
    """Seconds until the next start."""
    try:
        found = due(cron_job, schedule, now, deadline=False)
        latest = found.at if found.at is not None else (now if found.missed else found.earliest)
    except Invalid:
        latest = now
    following = schedule.next(latest)
    return None if following is None else max(following + DELTA - now, 0.0)


def job_name(cron_job: batch_v1.CronJob, at: float) -> str:
    return f"{cron_job.metadata.name}-{int(at) // 60}"


def job_for(cron_job: batch_v1.CronJob, at: float) -> batch_v1.Job:
    """The Job of a start; it has the same name whoever makes it."""
    template = codecs.copy(cron_job.spec.jobTemplate)
    zone = schedules.zone_of(cron_job.spec.timeZone or "")
    stamp = datetime.datetime.fromtimestamp(at, zone).isoformat().replace("+00:00", "Z")
    return batch_v1.Job(
        metadata=meta_v1.ObjectMeta(
            name=job_name(cron_job, at),
            namespace=cron_job.metadata.namespace,
            labels=template.metadata.labels,
            annotations=template.metadata.annotations | {SCHEDULED: stamp},
            ownerReferences=[owners.reference_to(cron_job)],
        ),
        spec=template.spec,
    )


def outcome(job: batch_v1.Job) -> str:
    """`Complete`, `Failed`, or "" for one that goes on."""
    for condition in job.status.conditions:
        if condition.type in (jobs.COMPLETE, jobs.FAILED) and condition.status == "True":
            return condition.type
    return ""


def facts(job: batch_v1.Job) -> tuple[str, str, str, str | None]:
    """What of a Job is gone by here: two states with the same facts lead to the same."""
    reference = owners.controller_of(job)
    return job.metadata.uid, reference.uid if reference is not None else "", outcome(job), job.status.completionTime


def superfluous(cron_job: batch_v1.CronJob, own: list[batch_v1.Job]) -> list[batch_v1.Job]:
    """Ended Jobs beyond the history limits, the oldest first."""
    found: list[batch_v1.Job] = []
    for kind, limit in (
        (jobs.COMPLETE, cron_job.spec.successfulJobsHistoryLimit),
        (jobs.FAILED, cron_job.spec.failedJobsHistoryLimit),
    ):
        if limit is None:
            continue
        ended = [job for job in own if outcome(job) == kind]
        ended.sort(key=lambda job: (job.status.startTime or "", job.metadata.name))
        found += ended[: max(len(ended) - limit, 0)]
    return found
