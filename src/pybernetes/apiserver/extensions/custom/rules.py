"""`x-kubernetes-validations`: what schemas ask of values beyond their form, as expressions over the new and old value.

An unchanged part may stay wrong. Rules about what has changed (`oldSelf`) are asked only of parts that have a past.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.api import fields
from pybernetes.api.cel import declarations, environment, values
from pybernetes.apiserver.extensions.custom import schema as schemas
from pybernetes.apiserver.extensions.custom import validation

Errors = list[fields.FieldError]

SELF, OLD_SELF = "self", "oldSelf"
MAX_MESSAGE = 5 * 1024
_REASONS = {
    "FieldValueForbidden": fields.forbidden,
    "FieldValueRequired": fields.required,
}


class Rule:
    """One compiled rule, or what is wrong with it. Expressions of a node share its environments."""

    __slots__ = ("error", "message", "message_error", "optional", "path", "program", "tree")

    def __init__(self, tree: Mapping[str, Any], environments: Environments) -> None:
        self.tree = tree
        self.optional = bool(tree.get("optionalOldSelf"))
        self.path: str = tree.get("fieldPath", "")
        self.program: environment.Program | None = None
        self.message: environment.Program | None = None
        self.error = self.message_error = ""
        text = tree.get("rule", "")
        if not text.strip():
            return
        compiled_in = environments.of(optional=self.optional)
        try:
            program = compiled_in.compile(text)
        except environment.CompileError as error:
            self.error = f"compilation failed: {error}"
            return
        if program.kind != "bool":
            self.error = "cel expression must evaluate to a bool"
            return
        self.program = program
        expression = tree.get("messageExpression", "")
        if expression:
            self._compile_message(expression, compiled_in)

    def _compile_message(self, expression: str, compiled_in: environment.Environment) -> None:
        try:
            message = compiled_in.compile(expression)
        except environment.CompileError as error:
            self.message_error = f"messageExpression compilation failed: {error}"
            return
        if message.kind != "string":
            self.message_error = "messageExpression must evaluate to a string"
        else:
            self.message = message

    @property
    def uses_old(self) -> bool:
        return self.program is not None and OLD_SELF in self.program.uses

    @property
    def shown(self) -> str:
        """What errors call it by."""
        return str(self.tree.get("message") or self.tree.get("rule", "")).strip()


class Environments:
    """Where the rules of one node are compiled: with an old value, and with an optional one."""

    def __init__(self, declared: declarations.Declaration) -> None:
        self._declared = declared
        self._made: dict[bool, environment.Environment] = {}

    def of(self, *, optional: bool) -> environment.Environment:
        if optional not in self._made:
            self._made[optional] = environment.Environment(
                {
                    SELF: environment.Variable(self._declared),
                    OLD_SELF: environment.Variable(self._declared, optional=optional),
                }
            )
        return self._made[optional]


def compiled(tree: Mapping[str, Any], declared: declarations.Declaration) -> list[Rule]:
    """The rules of one node of a schema, in their order."""
    environments = Environments(declared)
    return [Rule(rule, environments) for rule in tree.get("x-kubernetes-validations", ())]


class _Node:
    """A node of a schema with rules at or below it. `asked` says what is asked for, `schema` what values are there."""

    __slots__ = ("additional", "all_of", "declared", "items", "properties", "rules", "schema")

    def __init__(
        self, asked: schemas.Schema, schema: schemas.Schema, declared: declarations.Declaration, *, root: bool
    ) -> None:
        self.schema = schema
        self.declared = declared
        self.rules = compiled(asked.tree, declared)
        self.properties: dict[str, _Node] = {}
        for name, inner in asked.properties.items():
            below = schema.properties.get(name)
            if below is not None and (node := _node(inner, below)) is not None:
                self.properties[name] = node
        self.items = _node(asked.items, schema.items)
        self.additional = _node(asked.additional, schema.additional)
        self.all_of = [_Node(inner, schema, declared, root=root) for inner in asked.all_of if inner.has_rules]


def _node(asked: schemas.Schema | None, schema: schemas.Schema | None, *, root: bool = False) -> _Node | None:
    if asked is None or schema is None or not asked.has_rules:
        return None
    declared = declarations.of(schema.tree, root=root)
    # What expressions do not see is not validated by them.
    return None if declared is None else _Node(asked, schema, declared, root=root)


# Compiling is dear, and done for the first object of a schema.
_roots: weakref.WeakKeyDictionary[schemas.Schema, _Node | None] = weakref.WeakKeyDictionary()


def check(new: schemas.Tree, old: schemas.Tree | None, schema: schemas.Schema) -> Errors:
    """What the rules find wrong with a whole object; `old` is None for a new one."""
    if schema not in _roots:
        _roots[schema] = _node(schema, schema, root=True)
    root = _roots[schema]
    if root is None:
        return []
    before = None if old is None else validation.Old(old, schema)
    found: Errors = []
    with contextlib.suppress(_Spent):
        _Check(found).node(root, new, before, fields.Path(), unchanged=False)
    return found


class _Spent(Exception):
    """No more rules are to be asked."""


class _Check:
    def __init__(self, found: Errors) -> None:
        self._found = found

    def node(self, node: _Node, value: Any, old: validation.Old | None, path: fields.Path, *, unchanged: bool) -> None:
        """`unchanged` is whether the nearest part with a past above this is as it was."""
        if value is None:
            return
        if old is not None:
            unchanged = validation.same(old.value, value)
        if node.rules:
            self._rules(node, value, old, path, unchanged=unchanged)
        for inner in node.all_of:
            self.node(inner, value, old, path, unchanged=unchanged)
        if isinstance(value, list) and node.items is not None:
            for index, item in enumerate(value):
                past = old.element(item) if old is not None else None
                self.node(node.items, item, past, path[index], unchanged=unchanged)
        elif isinstance(value, dict):
            for name, inner_node, inner_path in _members(node, value, path):
                past = old.member(name) if old is not None and node.schema.map_type != "atomic" else None
                self.node(inner_node, value[name], past, inner_path, unchanged=unchanged)

    def _rules(
        self, node: _Node, value: Any, old: validation.Old | None, path: fields.Path, *, unchanged: bool
    ) -> None:
        bindings = {SELF: values.of(value, node.declared)}
        if old is not None and old.value is not None:
            bindings[OLD_SELF] = values.of(old.value, node.declared)
        for rule in node.rules:
            if rule.error:
                self._found.append(_invalid(path, node, f"rule compile error: {rule.error}"))
            elif rule.program is not None and (OLD_SELF in bindings or not rule.uses_old or rule.optional):
                self._rule(rule, rule.program, node, bindings, value, path, unchanged=unchanged)

    def _rule(
        self,
        rule: Rule,
        program: environment.Program,
        node: _Node,
        bindings: Mapping[str, Any],
        value: Any,
        path: fields.Path,
        *,
        unchanged: bool,
    ) -> None:
        try:
            if program.evaluate(bindings) is True:
                return
        except environment.BudgetError as error:
            words = (
                f"'{error}': no further validation rules will be run due to call cost exceeds limit for rule: "
                f"{rule.shown}"
            )
            self._found.append(_invalid(path, node, words))
            raise _Spent from None
        except environment.EvaluationError as error:
            words = f"{error} evaluating rule: {rule.shown}"
            if str(error).startswith("no such overload"):
                words = (
                    f"'{error}': call arguments did not match a supported operator, function or macro signature for "
                    f"rule: {rule.shown}"
                )
            self._found.append(_invalid(path, node, words))
            return
        if unchanged and not rule.uses_old:
            return
        at = _joined(path, rule.path)
        self._found.append(_failure(rule, at, node, value, _message(rule, bindings)))


def _members(node: _Node, value: Mapping[str, Any], path: fields.Path) -> Iterator[tuple[str, _Node, fields.Path]]:
    for name in value:
        inner = node.properties.get(name)
        if inner is not None:
            yield name, inner, path[name]
        elif node.additional is not None and name not in node.schema.properties:
            yield name, node.additional, path.key(name)


def _message(rule: Rule, bindings: Mapping[str, Any]) -> str:
    if rule.message is not None:
        try:
            text = str(rule.message.evaluate(bindings)).strip()
        except environment.EvaluationError:
            text = ""
        if text and "\n" not in text and len(text) <= MAX_MESSAGE:
            return text
    message = rule.tree.get("message", "").strip()
    return message or f"failed rule: {rule.shown}"


def _failure(rule: Rule, path: fields.Path, node: _Node, value: Any, words: str) -> fields.FieldError:
    reason = rule.tree.get("reason", "")
    if reason in _REASONS:
        return _REASONS[reason](path, words)
    is_holder = node.declared.kind in ("object", "list", "map")
    if reason == "FieldValueDuplicate":
        return fields.duplicate(path, "" if is_holder else value)
    if is_holder:
        return fields.FieldError(fields.INVALID, str(path), f"Invalid value: {words}")
    return fields.invalid(path, value, words)


def _invalid(path: fields.Path, node: _Node, words: str) -> fields.FieldError:
    return fields.invalid(_named(path), node.schema.type, words)


def _joined(path: fields.Path, below: str) -> fields.Path:
    text = str(path)
    if not below:
        return _named(path)
    if below.startswith("["):
        return fields.Path(f"{text}{below}")
    return fields.Path(f"{text}.{below.lstrip('.')}".lstrip("."))


def _named(path: fields.Path) -> fields.Path:
    return path if str(path) else fields.Path(validation.NOWHERE)
