"""Starts the Jobs of CronJobs when they are due, and clears away those that have ended."""

from __future__ import annotations

import email.utils

from pybernetes.api import codecs, errors, schedules, times
from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers import owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.cronjob import decide
from pybernetes.informers import join_key, key_of, split_key
from pybernetes.kits import prometheus

NAME = "cronjob-controller"
TZ_WARNING = (
    "CRON_TZ or TZ used in schedule {} is not officially supported, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)
TOO_MANY = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"


class CronJobs:
    """The controller."""

    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        self._recorder = context.recorder(NAME)
        self._queue = context.queue(NAME)
        self._skews = prometheus.Timings(
            "cronjob_controller_job_creation_skew_duration_seconds",
            "Time between when a cronjob is scheduled to be run, and when the corresponding job is created",
            prometheus.exponential(1, 2, 10),
        )
        context.counted.append(self._skews.families)
        self._cron_jobs = context.informers.of(batch_v1.CronJob)
        self._jobs = context.informers.of(batch_v1.Job)
        owners.index(self._jobs)
        self._cron_jobs.on_change(lambda old, new: self._queue.add(key_of(new or old), "CronJob changed"))
        self._jobs.on_change(self._job_changed)

    async def run(self) -> None:
        await self._context.reconcile(NAME, self._queue, self.reconcile, after=(self._cron_jobs, self._jobs))

    def _job_changed(self, old: batch_v1.Job | None, new: batch_v1.Job | None) -> None:
        if old is not None and new is not None and decide.facts(old) == decide.facts(new):
            # Jobs write their status several times; it matters here when they have ended.
            return
        for job in (old, new):
            reference = owners.controller_of(job) if job is not None else None
            if job is not None and reference is not None and reference.kind == "CronJob":
                self._queue.add(join_key(job.metadata.namespace, reference.name), f"Job {key_of(job)} changed")

    async def reconcile(self, key: str) -> float | None:
        namespace, name = split_key(key)
        found = self._cron_jobs.cache.get(name, namespace)
        if found is None:
            return None
        own = [job for job in owners.candidates(self._jobs, found) if owners.is_controlled_by(job, found)]
        cron_job = codecs.copy(found)
        await self._observe(cron_job, own)
        again = None
        try:
            again = await self._start(cron_job)
        finally:
            await self._clear_away(cron_job, own)
            if cron_job.status != found.status:
                await self._client.update_status(cron_job)
        return again

    async def _observe(self, cron_job: batch_v1.CronJob, own: list[batch_v1.Job]) -> None:
        """Bring the status in line with the Jobs there are."""
        status = cron_job.status
        active = {reference.uid for reference in status.active}
        there = {job.metadata.uid for job in own}
        for job in own:
            ended = decide.outcome(job)
            if not ended:
                if job.metadata.uid not in active and not await self._is_known(cron_job, job):
                    message = f"Saw a job that the controller did not create or forgot: {job.metadata.name}"
                    self._recorder.event(cron_job, "Warning", "UnexpectedJob", message)
                continue
            if job.metadata.uid in active:
                status.active = [one for one in status.active if one.uid != job.metadata.uid]
                message = f"Saw completed job: {job.metadata.name}, condition: {ended}"
                self._recorder.event(cron_job, "Normal", "SawCompletedJob", message)
            if ended == "Complete" and job.status.completionTime:
                before = status.lastSuccessfulTime
                if not before or times.parse(job.status.completionTime) > times.parse(before):
                    status.lastSuccessfulTime = job.status.completionTime
        for reference in list(status.active):
            if reference.uid not in there and not await self._exists(reference):
                message = f"Active job went missing: {reference.name}"
                self._recorder.event(cron_job, "Normal", "MissingJob", message)
                status.active.remove(reference)

    async def _is_known(self, cron_job: batch_v1.CronJob, job: batch_v1.Job) -> bool:
        """Whether the server's status, which may be newer than ours, has the Job; then it is taken over."""
        fresh = await self._client.get(batch_v1.CronJob, cron_job.metadata.name, cron_job.metadata.namespace)
        known = any(reference.uid == job.metadata.uid for reference in fresh.status.active)
        if known:
            cron_job.status = codecs.copy(fresh.status)
            cron_job.metadata.resourceVersion = fresh.metadata.resourceVersion
        return known

    async def _exists(self, reference: core_v1.ObjectReference) -> bool:
        try:
            found = await self._client.get(batch_v1.Job, reference.name, reference.namespace)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            return False
        return found.metadata.uid == reference.uid

    async def _start(self, cron_job: batch_v1.CronJob) -> float | None:
        """Start what is due. Seconds until the next time."""
        spec = cron_job.spec
        if cron_job.metadata.deletionTimestamp is not None or spec.suspend:
            return None
        now = self._context.clock.time()
        if "TZ" in spec.schedule:
            self._recorder.event(cron_job, "Warning", "UnsupportedSchedule", TZ_WARNING.format(f'"{spec.schedule}"'))
        try:
            schedules.zone_of(spec.timeZone or "")
        except schedules.ScheduleError:
            message = f'invalid timeZone: "{spec.timeZone}": unknown time zone {spec.timeZone}'
            self._recorder.event(cron_job, "Warning", "UnknownTimeZone", message)
            return None
        try:
            schedule = schedules.parse(spec.schedule, spec.timeZone or "")
        except schedules.ScheduleError as error:
            message = f'unparseable schedule: "{spec.schedule}" : {error}'
            self._recorder.event(cron_job, "Warning", "UnparseableSchedule", message)
            return None
        try:
            found = decide.due(cron_job, schedule, now)
        except decide.Invalid as error:
            message = f"invalid schedule: {spec.schedule} : {error}"
            self._recorder.event(cron_job, "Warning", "InvalidSchedule", message)
            return None
        if found.missed > decide.MANY:
            self._recorder.event(cron_job, "Warning", "TooManyMissedTimes", TOO_MANY)
        if found.at is not None:
            await self._start_at(cron_job, found.at, now)
        return decide.wait(cron_job, schedule, now)

    async def _start_at(self, cron_job: batch_v1.CronJob, at: float, now: float) -> None:
        spec, status = cron_job.spec, cron_job.status
        if spec.startingDeadlineSeconds is not None and at + spec.startingDeadlineSeconds < now:
            when = email.utils.formatdate(at).replace("-0000", "UTC")
            self._recorder.event(cron_job, "Warning", "MissSchedule", f"Missed scheduled time to start a job: {when}")
            return
        name = decide.job_name(cron_job, at)
        if any(one.name == name for one in status.active) or status.lastScheduleTime == times.to_time(at):
            return
        if spec.concurrencyPolicy == "Forbid" and status.active:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._recorder.event(cron_job, "Normal", "JobAlreadyActive", message)
            return
        if spec.concurrencyPolicy == "Replace":
            for reference in list(status.active):
                await self._delete(cron_job, reference.name, reference.uid)
                status.active.remove(reference)
        created = await self._create(cron_job, decide.job_for(cron_job, at), at)
        if created is None:
            return
        if not any(one.uid == created.metadata.uid for one in status.active) and not decide.outcome(created):
            status.active.append(
                core_v1.ObjectReference(
                    apiVersion="batch/v1",
                    kind="Job",
                    name=created.metadata.name,
                    namespace=created.metadata.namespace,
                    uid=created.metadata.uid,
                    resourceVersion=created.metadata.resourceVersion,
                )
            )
        status.lastScheduleTime = times.to_time(at)

    async def _create(self, cron_job: batch_v1.CronJob, wanted: batch_v1.Job, at: float) -> batch_v1.Job | None:
        """The Job, made now or by an earlier try of ours; None: it is somebody else's."""
        try:
            created = await self._client.create(wanted)
        except errors.StatusError as error:
            if error.reason == "AlreadyExists":
                there = await self._client.get(batch_v1.Job, wanted.metadata.name, wanted.metadata.namespace)
                return there if owners.is_controlled_by(there, cron_job) else None
            if pods.has_cause(error, pods.NAMESPACE_TERMINATING):
                return None
            self._recorder.event(cron_job, "Warning", "FailedCreate", f"Error creating job: {error}")
            raise
        self._skews.observe(times.parse(created.metadata.creationTimestamp or "") - at)
        self._recorder.event(cron_job, "Normal", "SuccessfulCreate", f"Created job {created.metadata.name}")
        return created

    async def _clear_away(self, cron_job: batch_v1.CronJob, own: list[batch_v1.Job]) -> None:
        for job in decide.superfluous(cron_job, own):
            await self._delete(cron_job, job.metadata.name, job.metadata.uid)

    async def _delete(self, cron_job: batch_v1.CronJob, name: str, uid: str) -> None:
        try:
            await self._client.delete(
                batch_v1.Job, name, cron_job.metadata.namespace, propagation="Background", uid=uid
            )
        except errors.StatusError as error:
            if error.reason in ("NotFound", "Conflict"):
                return
            self._recorder.event(cron_job, "Warning", "FailedDelete", f"Deleted job: {error}")
            raise
        self._recorder.event(cron_job, "Normal", "SuccessfulDelete", f"Deleted job {name}")
