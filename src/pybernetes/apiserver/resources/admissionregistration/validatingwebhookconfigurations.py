"""ValidatingWebhookConfigurations."""

from __future__ import annotations

from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.resources import kind
from pybernetes.apiserver.resources.admissionregistration import webhooks

KIND: kind.Kind[admissionregistration_v1.ValidatingWebhookConfiguration] = kind.Kind(
    resource=kind.resource("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations"),
    default=webhooks.default,
    validate=webhooks.validate,
    validate_update=webhooks.validate_update,
    ratchets=True,
    allow_unconditional_update=False,
    spec_of=lambda configuration: configuration.webhooks,
    columns=webhooks.COLUMNS,
    row=webhooks.row,
)
