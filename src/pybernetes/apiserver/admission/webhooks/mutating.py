"""MutatingAdmissionWebhook: webhooks are asked one after the other, and each sees what the ones before it changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pybernetes.api import codecs, errors
from pybernetes.api.patch import json_patch
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.admission import forms, hosts, matching, plugin
from pybernetes.apiserver.admission import rounds as rounds_
from pybernetes.apiserver.admission.webhooks import calls, hooks, reviews
from pybernetes.kits import prometheus

_MUTATION = "mutation.webhook.admission.k8s.io"
_PATCH = "patch.webhook.admission.k8s.io"


class MutatingAdmissionWebhook(plugin.Plugin):
    name = "MutatingAdmissionWebhook"

    def __init__(self, host: hosts.Host) -> None:
        self._hooks = hooks.Hooks(
            host,
            host.collection("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
            admissionregistration_v1.MutatingWebhookConfiguration,
        )
        self._now = host.clock.monotonic
        self._calls = calls.Calls("admit", self._now)

    def families(self) -> Iterable[prometheus.Family]:
        return self._calls.families()

    async def admit(self, attributes: plugin.Attributes) -> None:
        if not len(self._hooks) or matching.is_exempt(attributes):
            return
        rounds = attributes.notes.setdefault(self.name, rounds_.Rounds())
        if attributes.is_again and rounds.left != rounds_.encoded(attributes.obj):
            rounds.require()
        shown = forms.Forms(attributes, self._hooks.versions)
        for index, hook in enumerate(self._hooks.all()):
            found = await self._hooks.invocation(hook, index, shown)
            if found is None or (attributes.is_again and hook.uid not in rounds.due):
                continue
            form = await shown.of(found.kind)
            patched = await self._ask(found, form)
            if patched is not None:
                await shown.change(form, patched)
                rounds.require()
                attributes.again = True
            if isinstance(hook.declared, admissionregistration_v1.MutatingWebhook) and (
                hook.declared.reinvocationPolicy == "IfNeeded"
            ):
                rounds.invoked.add(hook.uid)
        rounds.left = rounds_.encoded(attributes.obj)

    async def _ask(self, found: hooks.Invocation, form: forms.Form) -> Any:
        """The changed object; None where nothing changed. Raises StatusError."""
        hook, attributes = found.hook, form.attributes
        place = f"round_{int(attributes.is_again)}_index_{found.place}"
        told: dict[str, Any] = {"configuration": hook.configuration, "webhook": hook.name}
        try:
            with self._calls.counting(hook.name, attributes.operation, ignores=hook.ignores):
                began = self._now()
                try:
                    answer = await self._hooks.ask(hook, form, mutating=True)
                finally:
                    attributes.kept(self._now() - began)
                if not answer.allowed:
                    raise reviews.refusal(hook.name, answer.status)
                steps = _steps(answer)
                if steps and form.obj is None:
                    raise errors.internal(
                        f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for '
                        "this operation"
                    )
                patched = _patched(form, steps) if steps else None
        except calls.CallError as error:
            _note(attributes, _MUTATION, place, told | {"mutated": False})
            if not hook.ignores:
                raise hooks.failure(hook, error) from None
            attributes.note({f"failed-open.{_MUTATION}/{place}": hook.name})
            return None
        changed = patched is not None and rounds_.encoded(patched) != rounds_.encoded(form.obj)
        _note(attributes, _MUTATION, place, told | {"mutated": changed})
        if steps:
            _note(attributes, _PATCH, place, told | {"patch": steps, "patchType": answer.patch_type})
        return patched if changed else None


def _note(attributes: plugin.Attributes, prefix: str, place: str, told: dict[str, Any]) -> None:
    attributes.note({f"{prefix}/{place}": codecs.encode(told).decode()})


def _steps(answer: reviews.Answer) -> list[Any]:
    """The operations of the patch. Raises CallError."""
    if not answer.patch:
        return []
    try:
        steps = codecs.decode_tree(answer.patch)
    except codecs.DecodeError as error:
        raise calls.CallError(f"received undecodable patch in webhook response: {error}") from None
    if steps is None:
        return []
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise calls.CallError("received undecodable patch in webhook response: not a list of operations")
    if answer.patch_type != "JSONPatch":
        raise calls.CallError(f'unsupported patch type "{answer.patch_type}"', 400)
    return steps


def _patched(form: forms.Form, steps: list[Any]) -> Any:
    """The object after the operations, with its defaults. Raises StatusError 500 where they do not lead to one."""
    try:
        tree = json_patch.apply(form.tree, steps)
        return forms.settled(form, tree)
    except (json_patch.OperationError, codecs.DecodeError, ValueError) as error:
        raise errors.internal(str(error)) from None
    except errors.StatusError as error:
        raise errors.internal(str(error)) from None
