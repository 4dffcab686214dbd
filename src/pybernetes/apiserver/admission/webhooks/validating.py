"""ValidatingAdmissionWebhook: all webhooks that a request concerns are asked at once, and all have to allow it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pybernetes.api import errors
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.admission import forms, hosts, matching, plugin
from pybernetes.apiserver.admission.webhooks import calls, hooks, reviews
from pybernetes.kits import prometheus

_FAILED_OPEN = "failed-open.validating.webhook.admission.k8s.io"


class ValidatingAdmissionWebhook(plugin.Plugin):
    name = "ValidatingAdmissionWebhook"

    def __init__(self, host: hosts.Host) -> None:
        self._hooks = hooks.Hooks(
            host,
            host.collection("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
            admissionregistration_v1.ValidatingWebhookConfiguration,
        )
        self._now = host.clock.monotonic
        self._calls = calls.Calls("validating", self._now)

    def families(self) -> Iterable[prometheus.Family]:
        return self._calls.families()

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
        began = self._now()
        try:
            refusals = await asyncio.gather(*(self._ask(*one) for one in asked))
        finally:
            attributes.kept(self._now() - began)
        first = next((refusal for refusal in refusals if refusal is not None), None)
        if first is not None:
            raise first

    async def _ask(self, index: int, hook: hooks.Hook, form: forms.Form) -> errors.StatusError | None:
        """What the request is refused with, if it is."""
        try:
            with self._calls.counting(hook.name, form.attributes.operation, ignores=hook.ignores):
                answer = await self._hooks.ask(hook, form, mutating=False)
                if not answer.allowed:
                    raise reviews.refusal(hook.name, answer.status)
        except errors.StatusError as error:
            return error
        except calls.CallError as error:
            if not hook.ignores:
                return hooks.failure(hook, error)
            form.attributes.note({f"{_FAILED_OPEN}/round_0_index_{index}": hook.name})
        return None
