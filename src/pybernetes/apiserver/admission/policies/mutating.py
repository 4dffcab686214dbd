"""MutatingAdmissionPolicy: expressions that change what is written."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pybernetes.api import errors
from pybernetes.api.types import admissionregistration_v1, meta_v1
from pybernetes.apiserver.admission import forms, hosts, matching, plugin
from pybernetes.apiserver.admission import rounds as rounds_
from pybernetes.apiserver.admission.policies import bound, checks
from pybernetes.apiserver.authz import answers
from pybernetes.kits import prometheus

if TYPE_CHECKING:
    from pybernetes.apiserver.admission.policies import mutations


class MutatingAdmissionPolicy(plugin.Plugin):
    name = "MutatingAdmissionPolicy"
    operations = (plugin.CREATE, plugin.UPDATE, plugin.CONNECT)

    def __init__(self, host: hosts.Host) -> None:
        self._host = host
        self._bound: bound.Bound[mutations.Mutations] = bound.Bound(
            host,
            ("mutatingadmissionpolicies", admissionregistration_v1.MutatingAdmissionPolicy),
            ("mutatingadmissionpolicybindings", admissionregistration_v1.MutatingAdmissionPolicyBinding),
            functools.partial(_compiled, host.clock.monotonic),
        )
        self._checks = checks.Checks("mutating")

    def families(self) -> Iterable[prometheus.Family]:
        return self._checks.families()

    async def admit(self, attributes: plugin.Attributes) -> None:
        if not len(self._bound) or matching.is_exempt(attributes):
            return
        rounds = attributes.notes.setdefault(self.name, rounds_.Rounds())
        if attributes.is_again and rounds.left != rounds_.encoded(attributes.obj):
            rounds.require()
        # All that concern the request as it comes are asked, whatever earlier ones make of it.
        found = [one async for one in self._bound.invocations(attributes)]
        problems = [one for one in found if isinstance(one, bound.Problem)]
        shown = forms.Forms(attributes, self._bound.versions)
        for one in found:
            if isinstance(one, bound.Invocation):
                problems += await self._change(attributes, shown, one, rounds)
        rounds.left = rounds_.encoded(attributes.obj)
        counted = [problem for problem in problems if not problem.policy.ignores]
        if counted:
            raise _refused(attributes, counted)

    async def _change(
        self,
        attributes: plugin.Attributes,
        shown: forms.Forms,
        one: bound.Invocation[mutations.Mutations],
        rounds: rounds_.Rounds,
    ) -> list[bound.Problem]:
        from pybernetes.apiserver.admission import expressions

        form = await shown.of(one.kind)
        compiled, authorizer = one.policy.compiled, self._host.authorizer
        try:
            if not await answers.settled(authorizer, lambda known: compiled.applies(form, known, one.param.tree)):
                return []
        except expressions.ConditionsError as error:
            return [bound.Problem(one.policy, one.binding, str(error))]
        key = f"{one.policy.name}/{one.binding.metadata.name}/{one.param.name}"
        if form.obj is None or (attributes.is_again and key not in rounds.due):
            return []
        before = rounds_.encoded(form.obj)
        namespace = self._bound.namespace_object(attributes)
        unchanged = form.obj

        def change(known: answers.Answers) -> list[mutations.Outcome]:
            form.obj = unchanged
            return compiled.change(form, known, param=one.param.tree, namespace=namespace)

        outcomes = await answers.settled(authorizer, change)
        for seconds, problem in outcomes:
            kind = checks.kind_of(problem) if problem else checks.NO_ERROR
            self._checks.observe(one.policy.name, one.binding.metadata.name, seconds, error=kind)
        if rounds_.encoded(form.obj) != before:
            await shown.change(form, form.obj)
            rounds.require()
            attributes.again = True
        if one.policy.declared.spec.reinvocationPolicy == "IfNeeded":
            rounds.invoked.add(key)
        return [bound.Problem(one.policy, one.binding, outcome.problem) for outcome in outcomes if outcome.problem]


def _compiled(now: Callable[[], float], policy: Any) -> mutations.Mutations:
    # The language is loaded when the first policy is asked.
    from pybernetes.apiserver.admission.policies import mutations

    return mutations.Mutations(policy, now)


def _refused(attributes: plugin.Attributes, problems: list[bound.Problem]) -> errors.StatusError:
    resource = attributes.kind.resource
    refused = errors.forbidden(resource.group, resource.name, attributes.name, "")
    details = refused.status.details or meta_v1.StatusDetails()
    details.causes += [meta_v1.StatusCause(message=_words(problem)) for problem in problems]
    refused.status.details = details
    refused.status.message = _words(problems[0])
    if not problems[0].why.startswith("failed to configure"):
        refused.status.reason = "Invalid"
    return errors.StatusError(refused.status)


def _words(problem: bound.Problem) -> str:
    if problem.binding is None:
        return f'policy "{problem.policy.name}" denied request: {problem.why}'
    return (
        f"policy '{problem.policy.name}' with binding '{problem.binding.metadata.name}' denied request: {problem.why}"
    )
