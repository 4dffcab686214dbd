"""What a Job's own policies say of one failed pod, and of the indexes that have succeeded."""

from __future__ import annotations

from dataclasses import dataclass

from pybernetes.api.types import batch_v1, core_v1
from pybernetes.controllers.job import indexes

FAIL_JOB, FAIL_INDEX, IGNORE, COUNT = "FailJob", "FailIndex", "Ignore", "Count"


@dataclass(frozen=True, slots=True)
class Verdict:
    """On a failed pod: the `action` of the first rule that matches (empty: none does), and why the Job fails by it."""

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        """Whether the failure counts towards the limits."""
        return self.action != IGNORE


def on_failure(policy: batch_v1.PodFailurePolicy | None, pod: core_v1.Pod) -> Verdict:
    for number, rule in enumerate(policy.rules if policy is not None else ()):
        what = _matched(rule, pod)
        if what:
            failing = f"{what} matching {rule.action} rule at index {number}" if rule.action == FAIL_JOB else ""
            return Verdict(rule.action, failing)
    return Verdict()


def _matched(rule: batch_v1.PodFailurePolicyRule, pod: core_v1.Pod) -> str:
    """What of the pod matches the rule, in words; empty: nothing."""
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    if rule.onExitCodes is not None:
        for status in (*pod.status.containerStatuses, *pod.status.initContainerStatuses):
            ended = status.state.terminated
            if ended is not None and _has_code(rule.onExitCodes, status.name, ended.exitCode):
                return f"Container {status.name} for pod {name} failed with exit code {ended.exitCode}"
        return ""
    wanted = {(pattern.type, pattern.status) for pattern in rule.onPodConditions}
    for condition in pod.status.conditions:
        if (condition.type, condition.status) in wanted:
            return f"Pod {name} has condition {condition.type}"
    return ""


def _has_code(rule: batch_v1.PodFailurePolicyOnExitCodesRequirement, container: str, code: int) -> bool:
    if code == 0 or rule.containerName not in (None, container):
        return False
    listed = code in rule.values
    return listed if rule.operator == "In" else rule.operator == "NotIn" and not listed


def on_success(policy: batch_v1.SuccessPolicy | None, succeeded: indexes.Indexes, completions: int) -> str:
    """Which rule the succeeded indexes fulfil, in words; empty: none."""
    if policy is None or not succeeded.runs:
        return ""
    for number, rule in enumerate(policy.rules):
        if rule.succeededIndexes is None:
            met = rule.succeededCount is not None and len(succeeded) >= rule.succeededCount
        else:
            required = indexes.parse(rule.succeededIndexes, completions)
            common = required.common(succeeded)
            enough = rule.succeededCount is not None and common >= rule.succeededCount
            met = bool(required.runs) and (common == len(required) or enough)
        if met:
            return f"Matched rules at index {number}"
    return ""
