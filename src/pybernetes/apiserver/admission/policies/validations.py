"""The expressions of one ValidatingAdmissionPolicy, and what they come to for one request."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from pybernetes.api.cel import admission as language
from pybernetes.api.cel import environment
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.admission import expressions, forms
from pybernetes.apiserver.authz import answers

_LONGEST_MESSAGE = 5 * 1024


class Decision(NamedTuple):
    """A validation that does not hold, or of which that cannot be told: then it may be `admitted` nevertheless.

    `seconds` is how long it took to find out.
    """

    place: int
    message: str
    reason: str = "Invalid"
    admitted: bool = False
    seconds: float = 0.0


class Result(NamedTuple):
    """`annotations` by their keys; `failed_annotations` are why there is none."""

    decisions: list[Decision]
    annotations: list[tuple[str, str]]
    failed_annotations: list[str]


NOTHING = Result([], [], [])


class _Validation(NamedTuple):
    declared: admissionregistration_v1.Validation
    expression: expressions.Expression
    message: expressions.Expression | None


class Validations:
    """`now` is a clock's monotonic time."""

    def __init__(self, policy: admissionregistration_v1.ValidatingAdmissionPolicy, now: Callable[[], float]) -> None:
        self._now = now
        spec = policy.spec
        self._ignores = spec.failurePolicy == "Ignore"
        plain = language.Compiler(params=spec.paramKind is not None)
        self._conditions = expressions.Conditions(plain, spec.matchConditions, ignores=self._ignores)
        compiler, self._variables = variables_of(spec)
        self._validations = [_validation(compiler, one) for one in spec.validations]
        text = functools.partial(compiler.compile, returns=(language.STRING, language.NULL))
        self._annotations = [
            (one.key, expressions.compiled(text, one.valueExpression)) for one in spec.auditAnnotations
        ]

    def evaluate(self, form: forms.Form, authorizer: answers.Answers, *, param: Any, namespace: Any) -> Result:
        """What there is to say about the request; failures count where the failure policy says so."""
        evaluation = expressions.Evaluation(
            form,
            authorizer,
            params=param,
            namespace=namespace,
            variables=self._variables,
        )
        try:
            if not self._conditions.hold(evaluation):
                return NOTHING
        except expressions.ConditionsError as error:
            return Result([Decision(0, str(error))], [], [])
        decisions = []
        for index, validation in enumerate(self._validations):
            began = self._now()
            decision, is_spent = self._decide(evaluation, index, validation)
            if decision is not None:
                decisions.append(decision._replace(seconds=self._now() - began))
            if is_spent:
                break
        return Result(decisions, *self._annotate(evaluation))

    def _decide(
        self, evaluation: expressions.Evaluation, index: int, validation: _Validation
    ) -> tuple[Decision | None, bool]:
        """None if it holds; and whether no more is to be asked."""
        try:
            if evaluation.value(validation.expression) is True:
                return None, False
        except environment.EvaluationError as error:
            is_spent = isinstance(error, environment.BudgetError)
            return Decision(index, str(error), admitted=self._ignores), is_spent
        declared = validation.declared
        message = _message(evaluation, validation.message) if validation.message is not None else ""
        message = message or declared.message.strip() or f"failed expression: {declared.expression.strip()}"
        return Decision(index, message, declared.reason or "Invalid"), False

    def _annotate(self, evaluation: expressions.Evaluation) -> tuple[list[tuple[str, str]], list[str]]:
        said, failed = [], []
        for key, expression in self._annotations:
            try:
                value = evaluation.value(expression)
            except environment.EvaluationError as error:
                failed += [] if self._ignores else [str(error)]
                continue
            if isinstance(value, str) and value.strip():
                said.append((key, value.strip()))
        return said, failed


def variables_of(spec: Any) -> tuple[language.Compiler, dict[str, expressions.Expression]]:
    """A compiler that knows a policy's variables, and the variables, which may use those before them."""
    compiler = language.Compiler(params=spec.paramKind is not None)
    known = {
        one.name: expressions.compiled(functools.partial(compiler.variable, one.name), one.expression)
        for one in spec.variables
    }
    return compiler, known


def _validation(compiler: language.Compiler, declared: admissionregistration_v1.Validation) -> _Validation:
    holds = functools.partial(compiler.compile, returns=(language.BOOL,))
    text = functools.partial(compiler.compile, returns=(language.STRING,), authorizer=False)
    message = expressions.compiled(text, declared.messageExpression) if declared.messageExpression.strip() else None
    return _Validation(declared, expressions.compiled(holds, declared.expression), message)


def _message(evaluation: expressions.Evaluation, expression: expressions.Expression) -> str:
    """ "" where it cannot be had, or is nothing to show."""
    try:
        text = str(evaluation.value(expression)).strip()
    except environment.EvaluationError:
        return ""
    return "" if len(text.encode()) > _LONGEST_MESSAGE or "\n" in text else text
