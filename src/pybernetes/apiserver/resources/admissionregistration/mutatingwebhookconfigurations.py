"""MutatingWebhookConfigurations: as the validating ones, and when to call a webhook once more."""

from __future__ import annotations

from pybernetes.api import fields
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.resources import checks, kind
from pybernetes.apiserver.resources.admissionregistration import matching, webhooks

Configuration = admissionregistration_v1.MutatingWebhookConfiguration


def default(configuration: Configuration) -> None:
    webhooks.default(configuration)
    for hook in configuration.webhooks:
        hook.reinvocationPolicy = hook.reinvocationPolicy if hook.reinvocationPolicy is not None else "Never"


def validate(configuration: Configuration) -> checks.Errors:
    return _reinvocation(configuration) + webhooks.validate(configuration)


def validate_update(new: Configuration, old: Configuration) -> checks.Errors:
    return _reinvocation(new) + webhooks.validate_update(new, old)


def _reinvocation(configuration: Configuration) -> checks.Errors:
    problems: checks.Errors = []
    for index, hook in enumerate(configuration.webhooks):
        path = fields.Path("webhooks")[index]["reinvocationPolicy"]
        problems += matching.optional_one_of(hook.reinvocationPolicy, matching.REINVOCATION_POLICIES, path)
    return problems


KIND: kind.Kind[Configuration] = kind.Kind(
    resource=kind.resource("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations"),
    default=default,
    validate=validate,
    validate_update=validate_update,
    ratchets=True,
    allow_unconditional_update=False,
    spec_of=lambda configuration: configuration.webhooks,
    columns=webhooks.COLUMNS,
    row=webhooks.row,
)
