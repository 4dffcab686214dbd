"""ValidatingAdmissionPolicy: expressions that must hold of what is written, and what is done where they do not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from pybernetes.api import codecs, errors
from pybernetes.api.types import admissionregistration_v1, meta_v1
from pybernetes.apiserver.admission import forms, hosts, matching, plugin
from pybernetes.apiserver.admission.policies import bound, checks
from pybernetes.apiserver.authz import answers
from pybernetes.kits import prometheus

if TYPE_CHECKING:
    from pybernetes.apiserver.admission.policies import validations

_FAILURE = "validation.policy.admission.k8s.io/validation_failure"
_LONGEST_ANNOTATION = 10 * 1024
_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413}


class Denial(NamedTuple):
    policy: str
    # "" where the policy itself could not be asked.
    binding: str
    message: str
    reason: str = "Invalid"


class ValidatingAdmissionPolicy(plugin.Plugin):
    name = "ValidatingAdmissionPolicy"

    def __init__(self, host: hosts.Host) -> None:
        self._host = host
        self._bound: bound.Bound[validations.Validations] = bound.Bound(
            host,
            ("validatingadmissionpolicies", admissionregistration_v1.ValidatingAdmissionPolicy),
            ("validatingadmissionpolicybindings", admissionregistration_v1.ValidatingAdmissionPolicyBinding),
            functools.partial(_compiled, host.clock.monotonic),
        )
        self._checks = checks.Checks("validating")

    def families(self) -> Iterable[prometheus.Family]:
        return self._checks.families()

    async def validate(self, attributes: plugin.Attributes) -> None:
        if not len(self._bound) or matching.is_exempt(attributes):
            return
        shown = forms.Forms(attributes, self._bound.versions)
        denials: list[Denial] = []
        annotations: dict[str, list[str]] = {}
        async for found in self._bound.invocations(attributes):
            if isinstance(found, bound.Problem):
                if not found.policy.ignores:
                    binding = "" if found.binding is None else found.binding.metadata.name
                    denials.append(Denial(found.policy.name, binding, found.why))
                continue
            evaluate = functools.partial(
                found.policy.compiled.evaluate,
                await shown.of(found.kind),
                param=found.param.tree,
                namespace=self._bound.namespace_object(attributes),
            )
            result = await answers.settled(self._host.authorizer, evaluate)
            for decision in result.decisions:
                denials += self._enforced(attributes, found, decision)
            for key, value in result.annotations:
                said = annotations.setdefault(f"{found.policy.name}/{key}", [])
                if value not in said:
                    said.append(value[:_LONGEST_ANNOTATION])
            for why in result.failed_annotations:
                denials.append(Denial(found.policy.name, found.binding.metadata.name, why))
                self._count(found, why, 0.0, "deny")
        attributes.note({key: ", ".join(said) for key, said in annotations.items()})
        if denials:
            raise _refused(attributes, denials[0])

    def _enforced(
        self,
        attributes: plugin.Attributes,
        found: bound.Invocation[validations.Validations],
        decision: validations.Decision,
    ) -> list[Denial]:
        """Do what the binding wants done about it; what is left to do is to deny."""
        binding = found.binding
        actions = binding.spec.validationActions
        name = binding.metadata.name
        if decision.admitted:
            self._count(found, decision.message, decision.seconds, "allow")
            return []
        for action in actions:
            self._count(found, decision.message, decision.seconds, action.lower())
        if "Audit" in actions:
            said = {
                "message": decision.message,
                "policy": found.policy.name,
                "binding": name,
                "expressionIndex": decision.place,
                "validationActions": actions,
            }
            attributes.note({_FAILURE: codecs.encode([said]).decode()})
        if "Warn" in actions:
            words = f"Validation failed for ValidatingAdmissionPolicy '{found.policy.name}' with binding '{name}'"
            attributes.warnings.append(f"{words}: {decision.message}")
        if "Deny" in actions:
            return [Denial(found.policy.name, name, decision.message, decision.reason)]
        return []

    def _count(self, found: bound.Invocation[validations.Validations], said: str, seconds: float, action: str) -> None:
        policy, binding = found.policy.name, found.binding.metadata.name
        self._checks.observe(policy, binding, seconds, error=checks.kind_of(said), action=action)


def _compiled(now: Callable[[], float], policy: Any) -> validations.Validations:
    # The language is loaded when the first policy is asked.
    from pybernetes.apiserver.admission.policies import validations

    return validations.Validations(policy, now)


def _refused(attributes: plugin.Attributes, denial: Denial) -> errors.StatusError:
    by = f"ValidatingAdmissionPolicy '{denial.policy}'"
    by += f" with binding '{denial.binding}'" if denial.binding else ""
    message = f"{by} denied request: {denial.message}"
    resource = attributes.kind.resource
    refused = errors.forbidden(resource.group, resource.name, attributes.name, message)
    refused.status.reason = denial.reason
    refused.status.code = _CODES.get(denial.reason, 422)
    details = refused.status.details or meta_v1.StatusDetails()
    details.causes.append(meta_v1.StatusCause(message=message))
    refused.status.details = details
    return refused
