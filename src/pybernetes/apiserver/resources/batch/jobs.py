"""Jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api import codecs, fields, selectors, times
from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.apps import workloads
from pybernetes.apiserver.resources.batch import job_spec

_SPEC = fields.Path("spec")
_STATUS = fields.Path("status")
_NAME_LABELS = ("job-name", "batch.kubernetes.io/job-name")
_UID_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid")
_UID_LABEL = "batch.kubernetes.io/controller-uid"


def default(job: batch_v1.Job) -> None:
    workloads.default_template(job.spec.template)
    job_spec.default(job.spec)
    if job.spec.template.metadata.labels and not job.metadata.labels:
        job.metadata.labels = dict(job.spec.template.metadata.labels)


def prepare_create(job: batch_v1.Job) -> None:
    if job.spec.manualSelector:
        return
    labels = job.spec.template.metadata.labels
    for name in _NAME_LABELS:
        labels.setdefault(name, job.metadata.name)
    for name in _UID_LABELS:
        labels.setdefault(name, job.metadata.uid)
    if job.spec.selector is None:
        job.spec.selector = meta_v1.LabelSelector()
    job.spec.selector.matchLabels.setdefault(_UID_LABEL, job.metadata.uid)


def validate(job: batch_v1.Job) -> checks.Errors:
    spec = job.spec
    problems = _generated(job) if not spec.manualSelector else []
    problems += job_spec.validate(spec, _SPEC)
    if spec.selector is None:
        problems.append(fields.required(_SPEC["selector"]))
        return problems
    problems += checks.selector(spec.selector, _SPEC["selector"])
    try:
        selects = selectors.from_object(spec.selector).matches(spec.template.metadata.labels)
    except selectors.SelectorError:
        return problems
    if not selects:
        problems.append(workloads.mismatch(spec.template, _SPEC["template"]))
    return problems


def _generated(job: batch_v1.Job) -> checks.Errors:
    """Labels and selector are the ones that `prepare_create` makes, also where the client stated them."""
    problems: checks.Errors = []
    labels = job.spec.template.metadata.labels
    path = _SPEC["template"]["metadata"]["labels"]
    wanted = dict.fromkeys(_UID_LABELS, job.metadata.uid) | dict.fromkeys(_NAME_LABELS, job.metadata.name)
    for name, value in wanted.items():
        # Jobs of before 1.27 have the old names only.
        if name in labels and labels[name] != value:
            problems.append(fields.invalid(path.key(name), labels[name], f"must be '{value}'"))
    selector = job.spec.selector
    if selector is not None and not any(selector.matchLabels.get(name) == job.metadata.uid for name in _UID_LABELS):
        problems.append(fields.invalid(_SPEC["selector"], selector, "`selector` not auto-generated"))
    return problems


def validate_update(new: batch_v1.Job, old: batch_v1.Job) -> checks.Errors:
    problems: checks.Errors = []
    spec, was = new.spec, old.spec
    if spec.completionMode != "Indexed":
        problems += checks.immutable(spec.completions, was.completions, _SPEC["completions"])
    elif spec.completions != was.completions and spec.completions is not None and spec.completions != spec.parallelism:
        words = "can only be modified in tandem with spec.parallelism"
        problems.append(fields.invalid(_SPEC["completions"], spec.completions, words))
    problems += checks.immutable(spec.selector, was.selector, _SPEC["selector"])
    if not checks.same(spec.template, was.template):
        before = _with_directives(spec.template, was.template) if _never_started(old) else was.template
        problems += checks.immutable(spec.template, before, _SPEC["template"])
    for name in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        problems += checks.immutable(getattr(spec, name), getattr(was, name), _SPEC[name])
    return problems


def _never_started(job: batch_v1.Job) -> bool:
    return bool(job.spec.suspend) and job.status.startTime is None


def _with_directives(new: core_v1.PodTemplateSpec, old: core_v1.PodTemplateSpec) -> core_v1.PodTemplateSpec:
    """The old template with what a queueing controller may set while the job is suspended."""
    template = codecs.copy(old)
    wanted = new.spec.affinity.nodeAffinity if new.spec.affinity is not None else None
    if wanted is not None or template.spec.affinity is not None:
        affinity = template.spec.affinity or core_v1.Affinity()
        affinity.nodeAffinity = wanted
        template.spec.affinity = None if new.spec.affinity is None and affinity == core_v1.Affinity() else affinity
    template.spec.nodeSelector = new.spec.nodeSelector
    template.spec.tolerations = new.spec.tolerations
    template.spec.schedulingGates = new.spec.schedulingGates
    template.metadata.annotations = new.metadata.annotations
    template.metadata.labels = new.metadata.labels
    for after, before in zip(new.spec.containers, template.spec.containers, strict=False):
        before.resources = after.resources
    for after, before in zip(new.spec.initContainers, template.spec.initContainers, strict=False):
        before.resources = after.resources
    return template


def validate_status(new: batch_v1.Job, old: batch_v1.Job) -> checks.Errors:
    status, was = new.status, old.status
    problems: checks.Errors = []
    for name in ("active", "succeeded", "failed", "ready", "terminating"):
        problems += checks.not_negative(getattr(status, name), _STATUS[name])
    complete, failed = _has(new, "Complete"), _has(new, "Failed")
    if complete and failed:
        problems.append(_omitted("conditions", "cannot set Complete=True and Failed=true conditions"))
    if status.completionTime is not None and not complete:
        words = "cannot set completionTime when there is no Complete=True condition"
        problems.append(fields.invalid(_STATUS["completionTime"], status.completionTime, words))
    if complete and status.completionTime is None:
        words = "completionTime is required for Complete jobs"
        problems.append(fields.required(_STATUS["completionTime"], words))
    if status.startTime is not None and status.completionTime is not None and status.completionTime < status.startTime:
        words = "must be equal to or after `startTime`"
        problems.append(fields.invalid(_STATUS["completionTime"], status.completionTime, words))
    if (complete or failed) and not (_has(old, "Complete") or _has(old, "Failed")):
        if status.active > 0:
            words = "active>0 is invalid for finished job"
            problems.append(fields.invalid(_STATUS["active"], status.active, words))
        if status.startTime is None:
            problems.append(fields.required(_STATUS["startTime"], "startTime is required for finished job"))
    for condition in ("Failed", "Complete"):
        if _has(old, condition) and not _has(new, condition):
            words = f"cannot disable the terminal {condition}=True condition"
            problems.append(_omitted("conditions", words))
    if _has(old, "Complete") and status.completionTime != was.completionTime:
        problems.append(fields.invalid(_STATUS["completionTime"], status.completionTime, checks.IMMUTABLE))
    return problems


def _omitted(name: str, words: str) -> fields.FieldError:
    return fields.FieldError(fields.INVALID, str(_STATUS[name]), f"Invalid value: {words}")


def _has(job: batch_v1.Job, condition: str) -> bool:
    return any(c.type == condition and c.status == "True" for c in job.status.conditions)


def row(job: batch_v1.Job, now: float) -> Sequence[kind.Cell]:
    spec, status = job.spec, job.status
    if spec.completions is not None:
        completions = f"{status.succeeded}/{spec.completions}"
    elif (spec.parallelism or 0) > 1:
        completions = f"{status.succeeded}/1 of {spec.parallelism}"
    else:
        completions = f"{status.succeeded}/1"
    took = ""
    if status.startTime is not None:
        end = times.parse(status.completionTime) if status.completionTime is not None else now
        took = cells.duration(end - times.parse(status.startTime))
    return (
        job.metadata.name,
        _state(job),
        completions,
        took,
        cells.age(job.metadata, now),
        *cells.containers(spec.template.spec.containers),
        cells.selector(spec.selector),
    )


def _state(job: batch_v1.Job) -> str:
    for condition in ("Complete", "Failed"):
        if _has(job, condition):
            return condition
    if job.metadata.deletionTimestamp is not None:
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if _has(job, condition):
            return condition
    return "Running"


def selectable(job: batch_v1.Job) -> Mapping[str, str]:
    return {"status.successful": str(job.status.succeeded)}


KIND: kind.Kind[batch_v1.Job] = kind.Kind(
    resource=kind.resource("batch", "v1", "jobs"),
    default=default,
    prepare_create=prepare_create,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=workloads.template_warnings,
    has_status=True,
    spec_of=lambda job: job.spec,
    columns=(
        kind.NAME,
        kind.Column("Status"),
        kind.Column("Completions"),
        kind.Column("Duration"),
        kind.AGE,
        cells.CONTAINERS,
        cells.IMAGES,
        cells.SELECTOR,
    ),
    row=row,
    field_labels=("status.successful",),
    selectable=selectable,
)
