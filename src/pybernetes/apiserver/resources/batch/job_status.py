"""Validation of a job's status: what controllers, ours and others (`spec.managedBy`), may claim.

Most rules are asked only where what they are about has changed, because a change of the specification may break them
until the controller has caught up.
"""

from __future__ import annotations

from pybernetes.api import fields
from pybernetes.api.types import batch_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.batch import indexes

_STATUS = fields.Path("status")
_COUNTERS = ("active", "succeeded", "failed", "ready", "terminating")
_CRITERIA_MET = "SuccessCriteriaMet"


def has(job: batch_v1.Job, condition: str, status: str = "True") -> bool:
    """Whether the condition has that status."""
    return any(c.type == condition and c.status == status for c in job.status.conditions)


def finished(job: batch_v1.Job) -> bool:
    return has(job, "Complete") or has(job, "Failed")


def validate(new: batch_v1.Job, old: batch_v1.Job) -> checks.Errors:
    problems: checks.Errors = []
    for name in _COUNTERS:
        problems += checks.not_negative(getattr(new.status, name), _STATUS[name])
    problems += _uncounted(new.status.uncountedTerminatedPods)
    problems += _conditions(new, old)
    problems += _times(new, old)
    problems += _counts(new, old)
    problems += _indexes(new, old)
    return problems


def _uncounted(pods: batch_v1.UncountedTerminatedPods | None) -> checks.Errors:
    problems: checks.Errors = []
    seen: set[str] = set()
    for name in ("succeeded", "failed") if pods is not None else ():
        for index, uid in enumerate(getattr(pods, name)):
            path = _STATUS["uncountedTerminatedPods"][name][index]
            if not uid:
                problems.append(fields.invalid(path, uid, "must not be empty"))
            elif uid in seen:
                problems.append(fields.duplicate(path, uid))
            seen.add(uid)
    return problems


def _conditions(new: batch_v1.Job, old: batch_v1.Job) -> checks.Errors:
    def changed(*conditions: str) -> bool:
        return any(has(new, condition) != has(old, condition) for condition in conditions)

    complete, failed, target = (has(new, condition) for condition in ("Complete", "Failed", "FailureTarget"))
    met = has(new, _CRITERIA_MET)
    words = []
    if changed("Complete", "Failed") and complete and failed:
        words.append("cannot set Complete=True and Failed=true conditions")
    if changed("Complete", "FailureTarget") and complete and target:
        words.append("cannot set Complete=True and FailureTarget=true conditions")
    if (changed("Failed") or new.status.failedIndexes != old.status.failedIndexes) and failed and not target:
        words.append("cannot set Failed=True condition without the FailureTarget=true condition")
    if changed("Complete", _CRITERIA_MET) and complete and not met:
        words.append("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
    if met and failed:
        words.append("cannot set SuccessCriteriaMet=True and Failed=true conditions")
    if met and target:
        words.append("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
    if new.spec.successPolicy is not None and complete and not met:
        words.append("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")
    words += [
        f"cannot disable the terminal {condition}=True condition"
        for condition in ("Failed", "Complete", "FailureTarget")
        if has(old, condition) and not has(new, condition)
    ]
    if has(old, _CRITERIA_MET) and not met:
        words.append("cannot disable the SuccessCriteriaMet=True condition")
    if has(old, "Complete") and met and not has(old, _CRITERIA_MET):
        words.append("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions")
    return [fields.FieldError(fields.INVALID, str(_STATUS["conditions"]), f"Invalid value: {text}") for text in words]


def _times(new: batch_v1.Job, old: batch_v1.Job) -> checks.Errors:
    status, was = new.status, old.status
    problems: checks.Errors = []
    complete = has(new, "Complete")
    restarted, recompleted = status.startTime != was.startTime, status.completionTime != was.completionTime
    start, end = _STATUS["startTime"], _STATUS["completionTime"]
    if complete != has(old, "Complete") or recompleted:
        if status.completionTime is not None and not complete:
            words = "cannot set completionTime when there is no Complete=True condition"
            problems.append(fields.invalid(end, status.completionTime, words))
        if status.completionTime is None and complete:
            problems.append(fields.required(end, "completionTime is required for Complete jobs"))
    known = status.startTime is not None and status.completionTime is not None
    if (restarted or recompleted) and known and (status.completionTime or "") < (status.startTime or ""):
        problems.append(fields.invalid(end, status.completionTime, "must be equal to or after `startTime`"))
    # A suspended job of no completions ends without a start.
    never_starts = new.spec.suspend is True and new.spec.completions == 0
    if finished(new) and status.startTime is None and not never_starts and (restarted or not finished(old)):
        problems.append(fields.required(start, "startTime is required for finished job"))
    if recompleted and status.completionTime is not None and was.completionTime is not None:
        problems.append(fields.invalid(end, status.completionTime, checks.IMMUTABLE))
    resuming = has(old, "Suspended") and has(new, "Suspended", "False")
    if restarted and was.startTime is not None and not new.spec.suspend and not resuming:
        words = "field is immutable for unsuspended job once set"
        problems.append(fields.invalid(start, status.startTime, words))
    return problems


def _counts(new: batch_v1.Job, old: batch_v1.Job) -> checks.Errors:
    status, was = new.status, old.status
    problems: checks.Errors = []
    ends = finished(new) != finished(old)
    if finished(new):
        if (ends or status.active != was.active) and status.active > 0:
            problems.append(fields.invalid(_STATUS["active"], status.active, "active>0 is invalid for finished job"))
        if (ends or status.terminating != was.terminating) and (status.terminating or 0) > 0:
            words = "terminating>0 is invalid for finished job"
            problems.append(fields.invalid(_STATUS["terminating"], status.terminating, words))
        pods = status.uncountedTerminatedPods
        if (ends or pods != was.uncountedTerminatedPods) and pods is not None and (pods.failed or pods.succeeded):
            words = "must be empty for finished job"
            problems.append(fields.invalid(_STATUS["uncountedTerminatedPods"], pods, words))
    moved = status.ready != was.ready or status.active != was.active
    if moved and status.ready is not None and status.ready > status.active:
        problems.append(fields.invalid(_STATUS["ready"], status.ready, "cannot set more ready pods than active"))
    if status.failed < was.failed:
        problems.append(fields.invalid(_STATUS["failed"], status.failed, "cannot decrease the failed counter"))
    # Indexed jobs that complete with their parallelism can be scaled down.
    elastic = new.spec.completionMode == "Indexed" and new.spec.completions == new.spec.parallelism
    if status.succeeded < was.succeeded and not elastic:
        words = "cannot decrease the succeeded counter"
        problems.append(fields.invalid(_STATUS["succeeded"], status.succeeded, words))
    return problems


def _indexes(new: batch_v1.Job, old: batch_v1.Job) -> checks.Errors:
    spec, status, was = new.spec, new.status, old.status
    problems: checks.Errors = []
    completed, failed = status.completedIndexes, status.failedIndexes
    completed_path, failed_path = _STATUS["completedIndexes"], _STATUS["failedIndexes"]
    if completed != was.completedIndexes:
        if spec.completions is not None:
            problems += _format(completed, spec.completions, completed_path, "completedIndexes")
        if completed and spec.completionMode != "Indexed":
            words = "cannot set non-empty completedIndexes when non-indexed completion mode"
            problems.append(fields.invalid(completed_path, completed, words))
    if failed != was.failedIndexes and failed is not None:
        if spec.backoffLimitPerIndex is None:
            words = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            problems.append(fields.invalid(failed_path, failed, words))
        elif spec.completions is not None:
            problems += _format(failed, spec.completions, failed_path, "failedIndexes")
    changed = completed != was.completedIndexes or failed != was.failedIndexes
    if changed and failed is not None and spec.completions is not None:
        both = indexes.overlap(completed, failed, spec.completions)
        if both is not None:
            words = f"failedIndexes and completedIndexes overlap at index: {both}"
            problems.append(fields.invalid(failed_path, failed, words))
    return problems


def _format(text: str, completions: int, path: fields.Path, name: str) -> checks.Errors:
    try:
        indexes.count(text, completions)
    except ValueError as error:
        return [fields.invalid(path, text, f"error parsing {name}: {error}")]
    return []
