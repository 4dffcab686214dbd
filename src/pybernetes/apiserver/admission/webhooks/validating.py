"""ValidatingAdmissionWebhook: all webhooks that a request concerns are asked at once, and all have to allow it."""

from __future__ import annotations

import asyncio

from pybernetes.api import errors
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.admission import forms, hosts, matching, plugin
from pybernetes.apiserver.admission.webhooks import hooks, reviews

_FAILED_OPEN = "failed-open.validating.webhook.admission.k8s.io"


class ValidatingAdmissionWebhook(plugin.Plugin):
    name = "ValidatingAdmissionWebhook"

    def __init__(self, host: hosts.Host) -> None:
        self._hooks = hooks.Hooks(
            host,
            host.collection("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
            admissionregistration_v1.ValidatingWebhookConfiguration,
        )

    async def validate(self, attributes: plugin.Attributes) -> None:
        if not len(self._hooks) or matching.is_exempt(attributes):
            return
        shown = forms.Forms(attributes, self._hooks.versions)
        asked: list[tuple[int, hooks.Hook, forms.Form]] = []
        for index, hook in enumerate(self._hooks.all()):
            found = await self._hooks.invocation(hook, index, shown)
            if found is not None:
                asked.append((len(asked), hook, await shown.of(found.kind)))
        if not asked:
            return
        refusals = await asyncio.gather(*(self._ask(*one) for one in asked))
        first = next((refusal for refusal in refusals if refusal is not None), None)
        if first is not None:
            raise first

    async def _ask(self, index: int, hook: hooks.Hook, form: forms.Form) -> errors.StatusError | None:
        """What the request is refused with, if it is."""
        try:
            answer = await self._hooks.ask(hook, form, mutating=False)
        except errors.StatusError as error:
            return error
        except hooks.CallError as error:
            if not hook.ignores:
                return hooks.failure(hook, error)
            form.attributes.note({f"{_FAILED_OPEN}/round_0_index_{index}": hook.name})
            return None
        return None if answer.allowed else reviews.refusal(hook.name, answer.status)
