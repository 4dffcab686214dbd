"""The expressions of one MutatingAdmissionPolicy, and what they make of an object."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from pybernetes.api import codecs, errors, shape, strictness
from pybernetes.api.apply import merge as apply_merge
from pybernetes.api.cel import admission as language
from pybernetes.api.cel import environment
from pybernetes.api.cel import mutations as made
from pybernetes.api.patch import json_patch
from pybernetes.api.types import admissionregistration_v1
from pybernetes.apiserver.admission import expressions, forms
from pybernetes.apiserver.admission.policies import validations
from pybernetes.apiserver.authz import answers


class MutationError(Exception):
    """Why the object could not be changed."""


class _Mutation(NamedTuple):
    kind: str
    expression: expressions.Expression


class Outcome(NamedTuple):
    """Of one mutation: how long it took, and what went wrong with one that made nothing."""

    seconds: float
    problem: str = ""


class Mutations:
    """`now` is a clock's monotonic time."""

    def __init__(self, policy: admissionregistration_v1.MutatingAdmissionPolicy, now: Callable[[], float]) -> None:
        self._now = now
        spec = policy.spec
        plain = language.Compiler(params=spec.paramKind is not None)
        self._conditions = expressions.Conditions(plain, spec.matchConditions, ignores=spec.failurePolicy == "Ignore")
        compiler, self._variables = validations.variables_of(spec)
        self._mutations = [_compiled(compiler, one) for one in spec.mutations]

    def applies(self, form: forms.Form, authorizer: answers.Answers, param: Any) -> bool:
        """Raises ConditionsError."""
        return self._conditions.hold(expressions.Evaluation(form, authorizer, params=param))

    def change(self, form: forms.Form, authorizer: answers.Answers, *, param: Any, namespace: Any) -> list[Outcome]:
        """Put what they make into the form, one after the other."""
        outcomes = []
        for mutation in self._mutations:
            # Each sees what the ones before it changed, and so do the variables.
            evaluation = expressions.Evaluation(
                form,
                authorizer,
                params=param,
                namespace=namespace,
                variables=self._variables,
            )
            began, problem = self._now(), ""
            try:
                form.obj = _changed(form, mutation, evaluation)
            except (environment.EvaluationError, MutationError) as error:
                problem = str(error)
            outcomes.append(Outcome(self._now() - began, problem))
        return outcomes


def _compiled(compiler: language.Compiler, mutation: admissionregistration_v1.Mutation) -> _Mutation:
    is_patch = mutation.patchType == "JSONPatch"
    declared = mutation.jsonPatch if is_patch else mutation.applyConfiguration
    text = declared.expression if declared is not None else ""
    kind = made.PATCH if is_patch else made.OBJECT
    return _Mutation(kind, expressions.compiled(functools.partial(compiler.mutation, returns=kind), text))


def _changed(form: forms.Form, mutation: _Mutation, evaluation: expressions.Evaluation) -> Any:
    value = evaluation.value(mutation.expression)
    try:
        tree = made.tree(value)
        changed = _patched(form.tree, tree) if mutation.kind == made.PATCH else _applied(form, tree)
        return form.obj if changed is None else forms.settled(form, changed)
    except codecs.DecodeError as error:
        raise MutationError(f"failed to convert patch object to typed object: {error}") from None
    except ValueError as error:
        raise MutationError(str(error)) from None


def _patched(tree: Any, steps: Any) -> Any:
    """None where a test operation of the patch fails: then it is not meant."""
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise MutationError("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch")
    try:
        return json_patch.apply(tree, steps)
    except errors.StatusError as error:
        why = str(error.__cause__ or error)
        if why.startswith("test operation") or "testing value" in why:
            return None
        raise MutationError(f"JSON Patch: {why}") from None


def _applied(form: forms.Form, config: Any) -> Any:
    """The object with the configuration merged into it, as server-side apply merges; nobody comes to own it."""
    if not isinstance(config, dict):
        raise MutationError("invalid return type")
    of: Any = type(form.obj)
    unknown = strictness.unknown_fields(of, config)
    if unknown:
        listed = ", ".join(f".{path}: field not declared in schema" for path in unknown)
        raise MutationError(f"error applying patch: failed to convert patch object to typed object: {listed}")
    atomics = list(_atomics(config, shape.of(of), ""))
    if atomics:
        words = f"may not mutate atomic arrays, maps or structs: {', '.join(atomics)}"
        raise MutationError(f"error applying patch: invalid ApplyConfiguration: {words}")
    return apply_merge.merged(form.tree, config, shape.of(of))


def _atomics(value: Any, of: shape.Shape, path: str) -> list[str]:
    if isinstance(value, dict):
        if of.kind == shape.LEAF:
            return [path]
        found = []
        for name, inner in value.items():
            below = of.fields.get(name, shape.UNKNOWN) if of.kind == shape.STRUCT else _item(of)
            found += _atomics(inner, below, f"{path}.{name}")
        return found
    if isinstance(value, list):
        if of.kind not in (shape.KEYED, shape.SET):
            return [path]
        return [one for inner in value for one in _atomics(inner, _item(of), f"{path}[]")]
    return []


def _item(of: shape.Shape) -> shape.Shape:
    return of.item if of.kind in (shape.MAP, shape.KEYED) else shape.UNKNOWN
