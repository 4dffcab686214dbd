"""Jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api import codecs, fields, names, selectors, times
from pybernetes.api.types import batch_v1, core_v1, meta_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.apps import workloads
from pybernetes.apiserver.resources.batch import job_spec, job_status

_SPEC = fields.Path("spec")
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
        problems += _template_update(spec.template, was.template, is_open=_is_open(old))
    for name in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        problems += checks.immutable(getattr(spec, name), getattr(was, name), _SPEC[name])
    return problems


def _is_open(job: batch_v1.Job) -> bool:
    """Suspended without running pods: what a queueing controller decides may still change."""
    paused = job.status.startTime is None or job_status.has(job, "Suspended")
    return bool(job.spec.suspend) and paused and job.status.active == 0


def _template_update(new: core_v1.PodTemplateSpec, old: core_v1.PodTemplateSpec, *, is_open: bool) -> checks.Errors:
    path = _SPEC["template"]
    if not is_open:
        return checks.immutable(new, old, path)
    before = _with_directives(new, old)
    return checks.immutable(new.spec, before.spec, path["spec"])


def _with_directives(new: core_v1.PodTemplateSpec, old: core_v1.PodTemplateSpec) -> core_v1.PodTemplateSpec:
    """The old template with what may change: where the pods may run, and with which resources."""
    template = codecs.copy(old)
    wanted = new.spec.affinity.nodeAffinity if new.spec.affinity is not None else None
    if wanted is not None or template.spec.affinity is not None:
        affinity = template.spec.affinity or core_v1.Affinity()
        affinity.nodeAffinity = wanted
        template.spec.affinity = None if new.spec.affinity is None and affinity == core_v1.Affinity() else affinity
    template.spec.nodeSelector = new.spec.nodeSelector
    template.spec.tolerations = new.spec.tolerations
    template.spec.schedulingGates = new.spec.schedulingGates
    for name in ("containers", "initContainers"):
        after, before = getattr(new.spec, name), getattr(template.spec, name)
        for one, other in zip(after, before, strict=False) if len(after) == len(before) else ():
            if one.name == other.name:
                other.resources = one.resources
    return template


def warnings(job: batch_v1.Job) -> Sequence[str]:
    texts = []
    problems = names.dns_label(job.metadata.name)
    if problems:
        texts.append(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
            f"a DNS label is recommended: [{' '.join(problems)}]"
        )
    return [*texts, *job_spec.warnings(job.spec, "spec"), *workloads.template_warnings(job)]


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
        if job_status.has(job, condition):
            return condition
    if job.metadata.deletionTimestamp is not None:
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if job_status.has(job, condition):
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
    validate_status=job_status.validate,
    warnings=warnings,
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
