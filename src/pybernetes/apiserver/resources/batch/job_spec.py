"""Defaults and validation of a job's specification, of Jobs and of the template in a CronJob."""

from __future__ import annotations

from pybernetes.api import fields, names
from pybernetes.api.types import batch_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.batch import indexes
from pybernetes.apiserver.resources.core import pod_validation

_MAX_INT32 = 2**31 - 1
_MAX_INDEXED = 100_000
_MANY = 10_000
_MAX_INDEXES_TEXT = 64 * 1024
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")


def default(spec: batch_v1.JobSpec) -> None:
    if spec.parallelism is None:
        spec.parallelism = 1
        if spec.completions is None:
            spec.completions = 1
    if spec.backoffLimit is None:
        spec.backoffLimit = _MAX_INT32 if spec.backoffLimitPerIndex is not None else 6
    spec.completionMode = spec.completionMode or "NonIndexed"
    if spec.suspend is None:
        spec.suspend = False
    if spec.podReplacementPolicy is None:
        spec.podReplacementPolicy = "Failed" if spec.podFailurePolicy is not None else "TerminatingOrFailed"
    if spec.manualSelector is None:
        spec.manualSelector = False
    default_failure_policy(spec)


def default_failure_policy(spec: batch_v1.JobSpec) -> None:
    if spec.podFailurePolicy is not None:
        for rule in spec.podFailurePolicy.rules:
            for pattern in rule.onPodConditions:
                pattern.status = pattern.status or "True"


def validate(spec: batch_v1.JobSpec, path: fields.Path) -> checks.Errors:
    """Everything but the selector."""
    problems: checks.Errors = []
    numbers = (
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    )
    for name in numbers:
        problems += checks.not_negative(getattr(spec, name), path[name])
    if spec.maxFailedIndexes is not None and spec.backoffLimitPerIndex is None:
        problems.append(fields.required(path["backoffLimitPerIndex"], "when maxFailedIndexes is specified"))
    if spec.managedBy is not None:
        problems += _managed_by(spec.managedBy, path["managedBy"])
    if spec.completionMode is not None:
        problems += checks.one_of(spec.completionMode, ("NonIndexed", "Indexed"), path["completionMode"], in_order=True)
    problems += _indexed(spec, path) if spec.completionMode == "Indexed" else _not_indexed(spec, path)
    if spec.podFailurePolicy is not None:
        problems += _failure_policy(spec, spec.podFailurePolicy, path["podFailurePolicy"]["rules"])
    if spec.podReplacementPolicy is not None:
        allowed = ("Failed",) if spec.podFailurePolicy is not None else ("Failed", "TerminatingOrFailed")
        problems += checks.one_of(spec.podReplacementPolicy, allowed, path["podReplacementPolicy"])
    problems += pod_validation.template(spec.template, path["template"])
    return problems + _restart_policy(spec, path["template"]["spec"]["restartPolicy"])


def _managed_by(value: str, path: fields.Path) -> checks.Errors:
    problems = checks.domain_prefixed_path(value, path)
    if len(value) > 63:
        problems.append(fields.too_long(path, 63))
    return problems


def _indexed(spec: batch_v1.JobSpec, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if spec.completions is None:
        problems.append(fields.required(path["completions"], "when completion mode is Indexed"))
    if spec.parallelism is not None and spec.parallelism > _MAX_INDEXED:
        words = f"must be less than or equal to {_MAX_INDEXED} when completion mode is Indexed"
        problems.append(fields.invalid(path["parallelism"], spec.parallelism, words))
    worst = spec.maxFailedIndexes
    if spec.completions is not None and worst is not None and worst > spec.completions:
        problems.append(fields.invalid(path["maxFailedIndexes"], worst, "must be less than or equal to completions"))
    if worst is not None and worst > _MAX_INDEXED:
        problems.append(
            fields.invalid(path["maxFailedIndexes"], worst, f"must be less than or equal to {_MAX_INDEXED}")
        )
    if spec.completions is not None and spec.completions > _MAX_INDEXED and spec.backoffLimitPerIndex is not None:
        words = (
            f"must be less than or equal to {_MANY} when completions are above {_MAX_INDEXED} "
            "and used with backoff limit per index"
        )
        if worst is None:
            needed = f"must be specified when completions is above {_MAX_INDEXED}"
            problems.append(fields.required(path["maxFailedIndexes"], needed))
        if spec.parallelism is not None and spec.parallelism > _MANY:
            problems.append(fields.invalid(path["parallelism"], spec.parallelism, words))
        if worst is not None and worst > _MANY:
            problems.append(fields.invalid(path["maxFailedIndexes"], worst, words))
    if spec.successPolicy is not None:
        rules = path["successPolicy"]["rules"]
        if not spec.successPolicy.rules:
            words = "at least one rules must be specified when the successPolicy is specified"
            problems.append(fields.required(rules, words))
        if len(spec.successPolicy.rules) > 20:
            problems.append(fields.too_many(rules, len(spec.successPolicy.rules), 20))
        for index, rule in enumerate(spec.successPolicy.rules):
            problems += _success_rule(spec, rule, rules[index])
    return problems


def _success_rule(spec: batch_v1.JobSpec, rule: batch_v1.SuccessPolicyRule, path: fields.Path) -> checks.Errors:
    count, named, completions = rule.succeededCount, rule.succeededIndexes, spec.completions or 0
    problems: checks.Errors = []
    if count is None and named is None:
        words = "at least one of succeededCount or succeededIndexes must be specified"
        problems.append(fields.required(path, words))
    total = 0
    if named is not None:
        if len(named) > _MAX_INDEXES_TEXT:
            problems.append(fields.too_long(path["succeededIndexes"], _MAX_INDEXES_TEXT))
        try:
            total = indexes.count(named, completions)
        except ValueError as error:
            words = f"error parsing succeededIndexes: {error}"
            problems.append(fields.invalid(path["succeededIndexes"], named, words))
    if count is not None:
        problems += checks.not_negative(count, path["succeededCount"])
        if count > completions:
            words = f"must be less than or equal to {completions} (the number of specified completions)"
            problems.append(fields.invalid(path["succeededCount"], count, words))
        if named is not None and count > total:
            words = (
                f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            )
            problems.append(fields.invalid(path["succeededCount"], count, words))
    return problems


def _not_indexed(spec: batch_v1.JobSpec, path: fields.Path) -> checks.Errors:
    return [
        fields.invalid(path[name], getattr(spec, name), "requires indexed completion mode")
        for name in ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy")
        if getattr(spec, name) is not None
    ]


def _restart_policy(spec: batch_v1.JobSpec, path: fields.Path) -> checks.Errors:
    policy = spec.template.spec.restartPolicy
    if policy in ("", "Always"):
        return [fields.required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [fields.not_supported(path, policy, ("OnFailure", "Never"))]
    if spec.podFailurePolicy is not None and policy != "Never":
        return [fields.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    return []


def _failure_policy(spec: batch_v1.JobSpec, policy: batch_v1.PodFailurePolicy, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if len(policy.rules) > 20:
        problems.append(fields.too_many(path, len(policy.rules), 20))
    pod = spec.template.spec
    containers = {container.name for container in (*pod.containers, *pod.initContainers)}
    for index, rule in enumerate(policy.rules):
        at = path[index]
        if not rule.action:
            words = 'valid values: ["Count" "FailIndex" "FailJob" "Ignore"]'
            problems.append(fields.required(at["action"], words))
        elif rule.action == "FailIndex" and spec.backoffLimitPerIndex is None:
            words = "requires the backoffLimitPerIndex to be set"
            problems.append(fields.invalid(at["action"], rule.action, words))
        else:
            problems += checks.one_of(rule.action, _ACTIONS, at["action"])
        if len(rule.onPodConditions) > 20:
            problems.append(fields.too_many(at["onPodConditions"], len(rule.onPodConditions), 20))
        for place, pattern in enumerate(rule.onPodConditions):
            there = at["onPodConditions"][place]
            problems += checks.named(pattern.type, names.qualified_name, there["type"])
            problems += checks.one_of(pattern.status, ("False", "True", "Unknown"), there["status"])
        if rule.onExitCodes is not None:
            problems += _exit_codes(rule.onExitCodes, containers, at["onExitCodes"])
        if rule.onExitCodes is not None and rule.onPodConditions:
            words = "Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"
            problems.append(fields.FieldError(fields.INVALID, str(at), words))
        if rule.onExitCodes is None and not rule.onPodConditions:
            words = "Invalid value: specifying one of OnExitCodes and OnPodConditions is required"
            problems.append(fields.FieldError(fields.INVALID, str(at), words))
    return problems


def _exit_codes(
    codes: batch_v1.PodFailurePolicyOnExitCodesRequirement, containers: set[str], path: fields.Path
) -> checks.Errors:
    problems: checks.Errors = []
    if not codes.operator:
        problems.append(fields.required(path["operator"], 'valid values: ["In" "NotIn"]'))
    else:
        problems += checks.one_of(codes.operator, ("In", "NotIn"), path["operator"])
    if codes.containerName is not None and codes.containerName not in containers:
        words = "must be one of the container or initContainer names in the pod template"
        problems.append(fields.invalid(path["containerName"], codes.containerName, words))
    if not codes.values:
        problems.append(fields.invalid(path["values"], codes.values, "at least one value is required"))
    elif len(codes.values) > 255:
        problems.append(fields.too_many(path["values"], len(codes.values), 255))
    for index, value in enumerate(codes.values):
        if codes.operator == "In" and value == 0:
            words = "must not be 0 for the In operator"
            problems.append(fields.invalid(path["values"][index], value, words))
        if value in codes.values[:index]:
            problems.append(fields.duplicate(path["values"][index], value))
    if sorted(codes.values) != codes.values:
        problems.append(fields.invalid(path["values"], codes.values, "must be ordered"))
    return problems


def warnings(spec: batch_v1.JobSpec, path: str) -> list[str]:
    """About numbers that the status may have no room for."""
    many = (spec.completions or 0) > _MAX_INDEXED and (spec.parallelism or 0) > _MANY
    text = (
        f"{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
        "Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
    )
    return [text] if many and spec.completionMode == "Indexed" else []
