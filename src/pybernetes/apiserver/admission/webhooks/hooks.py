"""The webhooks of stored configurations, in the order in which they are called, and how one of them is asked."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from pybernetes.api import errors
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.admission import forms, hosts, matching, versions
from pybernetes.apiserver.admission.webhooks import calls, reviews
from pybernetes.apiserver.authz import answers
from pybernetes.apiserver.forwarding import webhooks
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import selection

if TYPE_CHECKING:
    from pybernetes.apiserver.admission import expressions

Declared = admissionregistration_v1.MutatingWebhook | admissionregistration_v1.ValidatingWebhook
_HARMLESS = ("None", "NoneOnDryRun")


class Hook:
    """One webhook. `uid` tells it from others of the same name."""

    def __init__(self, declared: Declared, configuration: str, uid: str) -> None:
        self.declared = declared
        self.configuration = configuration
        self.uid = uid
        self.name = declared.name
        self.ignores = declared.failurePolicy == "Ignore"
        self.selection = matching.Selection(
            declared.rules,
            policy=declared.matchPolicy,
            namespaces=declared.namespaceSelector,
            objects=declared.objectSelector,
        )

    @functools.cached_property
    def _conditions(self) -> expressions.Conditions:
        """Compiling is dear, and done when the first request comes that they are asked about."""
        from pybernetes.api.cel import admission as language
        from pybernetes.apiserver.admission import expressions

        return expressions.Conditions(language.Compiler(), self.declared.matchConditions, ignores=self.ignores)

    def applies(self, form: forms.Form, authorizer: answers.Answers) -> bool:
        """Whether its conditions hold. Raises StatusError 403 where that cannot be told."""
        from pybernetes.apiserver.admission import expressions

        try:
            return self._conditions.hold(expressions.Evaluation(form, authorizer))
        except expressions.ConditionsError as error:
            resource = form.attributes.kind.resource
            raise errors.forbidden(resource.group, resource.name, form.attributes.name, str(error)) from None


class Invocation(NamedTuple):
    hook: Hook
    kind: kinds.Kind[Any]
    # Its place in the list of all.
    place: int


class Hooks:
    """All webhooks of one kind of configuration, which are stored in `configurations`."""

    def __init__(self, host: hosts.Host, configurations: collections.Collection, of: Any) -> None:
        self._configurations = configurations
        self._type = of
        self._namespaces = host.collection("", "namespaces")
        self._host = host
        self.versions = versions.Versions(host.registry)
        self._made_from: list[tuple[str, int]] = []
        self._hooks: list[Hook] = []

    def __len__(self) -> int:
        """How many configurations there are."""
        return len(self._configurations)

    def all(self) -> list[Hook]:
        """By the names of their configurations, and within one in its order."""
        found = self._configurations.select(selection.EVERYTHING).items
        made_from = [(item.name, item.modified) for item in found]
        if made_from != self._made_from:
            self._hooks = []
            for item in sorted(found, key=lambda one: one.name):
                self._hooks += _of(item.decoded(self._type))
            self._made_from = made_from
        return self._hooks

    async def invocation(self, hook: Hook, index: int, shown: forms.Forms) -> Invocation | None:
        """None where the webhook is not about the request. Raises StatusError."""
        attributes = shown.attributes
        kind = hook.selection.chosen(attributes, self.versions, self._namespaces)
        if kind is None:
            return None
        if hook.declared.matchConditions:
            applies = functools.partial(hook.applies, await shown.of(kind))
            if not await answers.settled(self._host.authorizer, applies):
                return None
        return Invocation(hook, kind, index)

    async def ask(self, hook: Hook, form: forms.Form, *, mutating: bool) -> reviews.Answer:
        """The answer, whose warnings and annotations are the request's now. Raises CallError and StatusError."""
        declared, attributes = hook.declared, form.attributes
        if attributes.dry_run and declared.sideEffects not in _HARMLESS:
            raise errors.bad_request(f'admission webhook "{hook.name}" does not support dry run')
        uid = self._host.chance.uuid()
        try:
            version = reviews.version_of(declared.admissionReviewVersions)
        except ValueError as error:
            raise calls.CallError(f"could not create admission objects: {error}", 400) from None
        asked = reviews.review(form, version, uid)
        try:
            document = await self._host.webhooks.call(
                declared.clientConfig, asked, seconds=float(declared.timeoutSeconds or 10)
            )
        except webhooks.AnswerError as error:
            raise calls.CallError(f"failed to call webhook: {error}", error.code) from None
        except (OSError, ValueError) as error:
            raise calls.CallError(f"failed to call webhook: {error}") from None
        try:
            answer = reviews.answer(document, version, uid, mutating=mutating)
        except ValueError as error:
            raise calls.CallError(f"received invalid webhook response: {error}") from None
        attributes.note({f"{hook.name}/{key}": value for key, value in answer.annotations.items()})
        attributes.warnings.extend(text for text in answer.warnings if text not in attributes.warnings)
        return answer


def failure(hook: Hook, error: calls.CallError) -> errors.StatusError:
    return errors.internal(f'failed calling webhook "{hook.name}": {error}')


def _of(configuration: Any) -> list[Hook]:
    seen: dict[str, int] = {}
    made = []
    for declared in configuration.webhooks:
        number = seen[declared.name] = seen.get(declared.name, -1) + 1
        name = configuration.metadata.name
        made.append(Hook(declared, name, f"{name}/{declared.name}/{number}"))
    return made
