"""Evaluates the expressions of webhooks and policies about one request."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pybernetes.api import wording
from pybernetes.api.cel import admission as language
from pybernetes.api.cel import environment
from pybernetes.api.cel.libraries import authorizers as asking
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.admission import forms
from pybernetes.apiserver.authz import answers

OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class Expression(NamedTuple):
    """Compiled; or with what is wrong with it, which makes it fail whenever it is asked."""

    text: str
    program: environment.Program | None
    problem: str = ""


def compiled(compile_: Callable[[str], environment.Program], text: str) -> Expression:
    """`compile_` raises CompileError."""
    try:
        return Expression(text, compile_(text))
    except environment.CompileError as error:
        return Expression(text, None, str(error))


class Evaluation:
    """All expressions about one request that share their variables. `params` and `namespace` are trees."""

    def __init__(
        self,
        form: forms.Form,
        authorizer: answers.Answers,
        *,
        params: Any = None,
        namespace: Any = None,
        variables: Mapping[str, Expression] | None = None,
    ) -> None:
        self._form = form
        self._authorizer = authorizer
        self._params, self._namespace = params, namespace
        self._variables = variables or {}
        self._known: dict[str, Any] = {}
        self._failed: dict[str, environment.EvaluationError] = {}

    def value(self, expression: Expression) -> Any:
        """Raises EvaluationError, worded as upstream words it."""
        program = expression.program
        if program is None:
            raise environment.EvaluationError(f"compilation error: {expression.problem}")
        wanted = [name for holder, name in program.reads if holder == language.VARIABLES]
        for name in wanted:
            self._settle(name)
        bindings = {name: self._binding(name) for name in program.uses}
        try:
            with asking.deciding(self._decide):
                return program.evaluate(bindings)
        except environment.BudgetError:
            raise environment.BudgetError(OUT_OF_BUDGET) from None
        except environment.EvaluationError as error:
            # Variables are evaluated when they are used: the first of those that cannot be is what went wrong.
            why: object = next((self._failed[name] for name in wanted if name in self._failed), error)
            words = f"expression '{expression.text}' resulted in error: {why}"
            raise environment.EvaluationError(words) from None

    def _settle(self, name: str) -> None:
        if name in self._known or name in self._failed:
            return
        expression = self._variables.get(name)
        if expression is None:
            return
        try:
            self._known[name] = self.value(expression)
        except environment.EvaluationError as error:
            self._failed[name] = environment.EvaluationError(f'composited variable "{name}" fails to evaluate: {error}')

    def _binding(self, name: str) -> Any:
        if name == language.OBJECT:
            return self._form.tree
        if name == language.OLD_OBJECT:
            return self._form.old_tree
        if name == language.REQUEST:
            return self._form.request
        if name == language.VARIABLES:
            return self._known
        if name == language.AUTHORIZER:
            return asking.value(asking.AUTHORIZER)
        if name == language.REQUEST_RESOURCE:
            return self._request_resource()
        if name == language.NAMESPACE:
            return None if self._namespace is None else language.namespace_value(self._namespace)
        assert name == language.PARAMS
        return self._params

    def _request_resource(self) -> Any:
        attributes, resource = self._form.attributes, self._form.attributes.kind.resource
        asked = {
            "group": resource.group,
            "resource": resource.name,
            "subresource": attributes.subresource,
            "namespace": attributes.namespace,
            "name": attributes.name,
        }
        return asking.value(asking.RESOURCE_CHECK, **{name: value for name, value in asked.items() if value})

    def _decide(self, asked: dict[str, Any]) -> asking.Decision:
        user = self._form.attributes.user
        if "serviceAccount" in asked:
            namespace, name = asked["serviceAccount"]
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
            user = requests.User(f"system:serviceaccount:{namespace}:{name}", groups=groups)
        if "path" in asked:
            attributes = requests.Attributes(asked["verb"], asked["path"])
        else:
            attributes = requests.Attributes(
                asked["verb"],
                "",
                group=asked.get("group", ""),
                version="*",
                namespace=asked.get("namespace", ""),
                resource=asked.get("resource", ""),
                subresource=asked.get("subresource", ""),
                name=asked.get("name", ""),
                selectors=requests.narrowing(asked.get("fieldSelector", ""), asked.get("labelSelector", "")),
            )
        decision = self._authorizer.decide(user, attributes)
        return asking.Decision(decision.allowed, decision.reason, decision.error)


class ConditionsError(Exception):
    """Whether a webhook or policy applies cannot be told, and its failure policy is Fail."""


class Conditions:
    """matchConditions: all must hold. One that does not hold decides, whatever is wrong with others."""

    def __init__(
        self,
        compiler: language.Compiler,
        listed: Sequence[admissionregistration_v1.MatchCondition],
        *,
        ignores: bool,
    ) -> None:
        compile_ = functools.partial(compiler.compile, returns=(language.BOOL,))
        self._compiled = [compiled(compile_, one.expression) for one in listed]
        self._ignores = ignores

    def hold(self, evaluation: Evaluation) -> bool:
        """Raises ConditionsError."""
        problems = []
        for expression in self._compiled:
            try:
                if evaluation.value(expression) is False:
                    return False
            except environment.EvaluationError as error:
                problems.append(str(error))
        if problems and not self._ignores:
            raise ConditionsError(wording.aggregate(problems))
        return not problems
