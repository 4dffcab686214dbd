"""CronJobs."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes.api import fields, schedules
from pybernetes.api.types import batch_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.apps import workloads
from pybernetes.apiserver.resources.batch import job_spec
from pybernetes.apiserver.resources.core import pod_warnings

_SPEC = fields.Path("spec")


def default(cron_job: batch_v1.CronJob) -> None:
    spec = cron_job.spec
    workloads.default_template(spec.jobTemplate.spec.template)
    job_spec.default_failure_policy(spec.jobTemplate.spec)
    spec.concurrencyPolicy = spec.concurrencyPolicy or "Allow"
    if spec.suspend is None:
        spec.suspend = False
    if spec.successfulJobsHistoryLimit is None:
        spec.successfulJobsHistoryLimit = 3
    if spec.failedJobsHistoryLimit is None:
        spec.failedJobsHistoryLimit = 1


def validate(cron_job: batch_v1.CronJob) -> checks.Errors:
    spec = cron_job.spec
    problems: checks.Errors = []
    if len(cron_job.metadata.name) > 52:
        words = "must be no more than 52 characters"
        problems.append(fields.invalid(fields.Path("metadata")["name"], cron_job.metadata.name, words))
    problems += _schedule(spec, _SPEC["schedule"])
    problems += checks.not_negative(spec.startingDeadlineSeconds, _SPEC["startingDeadlineSeconds"])
    if spec.timeZone is not None:
        problems += _time_zone(spec.timeZone, _SPEC["timeZone"])
    policies = ("Allow", "Forbid", "Replace")
    problems += checks.required_one_of(spec.concurrencyPolicy, policies, _SPEC["concurrencyPolicy"])
    job, path = spec.jobTemplate.spec, _SPEC["jobTemplate"]["spec"]
    problems += job_spec.validate(job, path)
    if job.manualSelector:
        problems.append(fields.not_supported(path["manualSelector"], True, ("nil", "false")))
    if job.selector is not None:
        problems.append(fields.invalid(path["selector"], job.selector, "`selector` will be auto-generated"))
    problems += checks.not_negative(spec.successfulJobsHistoryLimit, _SPEC["successfulJobsHistoryLimit"])
    return problems + checks.not_negative(spec.failedJobsHistoryLimit, _SPEC["failedJobsHistoryLimit"])


def _schedule(spec: batch_v1.CronJobSpec, path: fields.Path) -> checks.Errors:
    if not spec.schedule:
        return [fields.required(path)]
    problems: checks.Errors = []
    try:
        schedules.parse(spec.schedule)
    except schedules.ScheduleError as error:
        problems.append(fields.invalid(path, spec.schedule, str(error)))
    if "TZ" in spec.schedule:
        words = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        if spec.timeZone is not None:
            words = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        problems.append(fields.invalid(path, spec.schedule, words))
    return problems


def _time_zone(zone: str, path: fields.Path) -> checks.Errors:
    if not zone:
        return [fields.invalid(path, zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        words = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [fields.invalid(path, zone, words)]
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return [fields.invalid(path, zone, f"unknown time zone {zone}")]
    return []


def row(cron_job: batch_v1.CronJob, now: float) -> Sequence[kind.Cell]:
    spec, status = cron_job.spec, cron_job.status
    template = spec.jobTemplate.spec
    return (
        cron_job.metadata.name,
        spec.schedule,
        "<none>" if spec.timeZone is None else spec.timeZone,
        cells.boolean(spec.suspend),
        len(status.active),
        cells.since(status.lastScheduleTime, now) if status.lastScheduleTime else "<none>",
        cells.age(cron_job.metadata, now),
        *cells.containers(template.template.spec.containers),
        cells.selector(template.selector),
    )


def warnings(cron_job: batch_v1.CronJob) -> Sequence[str]:
    template = cron_job.spec.jobTemplate.spec.template
    return [
        *job_spec.warnings(cron_job.spec.jobTemplate.spec, "spec.jobTemplate.spec"),
        *pod_warnings.spec_warnings(template.spec, "spec.jobTemplate.spec.template.spec"),
    ]


KIND: kind.Kind[batch_v1.CronJob] = kind.Kind(
    resource=kind.resource("batch", "v1", "cronjobs"),
    default=default,
    validate=validate,
    warnings=warnings,
    has_status=True,
    spec_of=lambda cron_job: cron_job.spec,
    columns=(
        kind.NAME,
        kind.Column("Schedule"),
        kind.Column("Timezone"),
        kind.Column("Suspend", type="boolean"),
        kind.Column("Active", type="integer"),
        kind.Column("Last Schedule"),
        kind.AGE,
        cells.CONTAINERS,
        cells.IMAGES,
        cells.SELECTOR,
    ),
    row=row,
)
