"""Where expressions are compiled: variables with their types, the language, and Kubernetes' function libraries.

An expression is compiled twice: against the declared types, which finds what is wrong with it and tells what it may
cost, and with open types, which runs on plain JSON values.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from cel_expr_python import cel

from pybernetes.api.cel import costs, declarations, libraries, messages, syntax

# What one evaluation may go over in all its loops together: a limit of the language's implementation. Upstream's is a
# cost of 1,000,000, a few to a few hundred for each element.
ITERATIONS = 10_000
OVER_BUDGET = "operation cancelled: actual cost limit exceeded"
_EXTENSIONS = ("two-var-comprehensions", "lists", "sets", "strings", "optional")
_OPTIONAL = "optional_oldSelf__"
_STRUCT = re.compile(r" not found in struct '[^']*'")
_UNKNOWN = re.compile(
    r"<input>:(\d+):(\d+): undeclared reference to '(\w+)((?:\.\w+)+)'([^\n]*)\n( \| [^\n]*)\n \| \.*\^"
)
_PLACE = re.compile(r"<input>:(\d+):")
# Upstream's words for what goes wrong at run time, by those of the implementation.
_WORDS = (
    ("Key not found in map", "no such key"),
    ("divide by zero", "division by zero"),
    ("modulus by zero", "modulus by zero"),
    ("Index error", "index out of bounds"),
    ("No matching overloads found", "no such overload"),
    ("Applying SELECT to non-message type", "no such overload"),
    ("integer overflow", "integer overflow"),
)


class CompileError(Exception):
    """What is wrong with an expression, with the place in it, as upstream prints it."""


class EvaluationError(Exception):
    """An expression has no value for its input: a key that is not there, a division by zero."""


class BudgetError(EvaluationError):
    """An expression would take too long for its input."""


class Variable(NamedTuple):
    """`optional` ones are given as an optional value: none where the binding is missing."""

    declared: declarations.Declaration
    optional: bool = False


class Program:
    """A compiled expression. `kind` names the type of its value, `worst` is what it can cost, `uses` its variables.

    `reads` has the fields that it takes from variables, as pairs of names.
    """

    __slots__ = ("_expression", "_optional", "kind", "reads", "uses", "worst")

    def __init__(
        self,
        expression: Any,
        *,
        kind: str,
        worst: int,
        uses: set[str],
        optional: str,
        reads: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self._expression = expression
        self._optional = optional
        self.kind = kind
        self.worst = worst
        self.uses = uses
        self.reads = reads

    def evaluate(self, bindings: Mapping[str, Any]) -> Any:
        """The value, for variables bound to values of `values.of`. Raises EvaluationError."""
        data = dict(bindings)
        if self._optional:
            data[_OPTIONAL] = {"value": data.pop(self._optional)} if self._optional in data else {}
        try:
            found = self._expression.eval(data=data)
        except RuntimeError as error:
            if "Iteration budget exceeded" in str(error):
                raise BudgetError(OVER_BUDGET) from None
            raise EvaluationError(_reason(str(error))) from None
        value = found.plain_value()
        if found.type() == cel.Type.ERROR:
            raise EvaluationError(_reason(str(value)))
        return value


class Environment:
    """`variables` by name. Compiling costs some hundred microseconds; programs are to be kept."""

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        pool = libraries.pool()
        known: dict[int, Any] = {}
        types: dict[str, Any] = {}
        for name, variable in variables.items():
            declared = variable.declared
            if id(declared) not in known:
                known[id(declared)] = messages.declare(pool, declared, f"{name}Type")
            if not variable.optional:
                types[name] = known[id(declared)]
                continue
            # The optional value is made in the expression, as none can be given to it.
            holder = declarations.Declaration("object", fields={"value": declared}, names={"value": "value"})
            types[_OPTIONAL] = messages.declare(pool, holder, "optionalType")
        self._declared = {name: variable.declared for name, variable in variables.items()}
        self._optional = next((name for name, variable in variables.items() if variable.optional), "")
        self._checking = _new(pool, types)
        self._running = _running(frozenset(types))

    def compile(self, expression: str) -> Program:
        """Raises CompileError."""
        text = expression
        try:
            if self._optional:
                # Alone first, so that it cannot end what it is put into.
                self._running.compile(expression, disable_check=True)
                text = f"cel.bind({self._optional}, {_OPTIONAL}.?value, (\n{expression}\n))"
            checked = self._checking.compile(text)
            running = self._running.compile(text)
        except RuntimeError as error:
            raise CompileError(_stripped(str(error), first_line=0 if text is expression else 1)) from None
        tree = syntax.read(checked.serialize())
        return Program(
            running,
            kind=checked.return_type().name().lower(),
            worst=costs.worst(tree, self._declared),
            # Of what makes the optional value, only the result is the expression.
            uses=(tree.root.children[-1] if self._optional else tree.root).idents() & set(self._declared),
            optional=self._optional,
            reads=frozenset(
                (node.target.name, node.name)
                for node in tree.root.walk()
                if node.kind == syntax.SELECT and node.target is not None and node.target.kind == syntax.IDENT
            ),
        )


@functools.cache
def _running(names: frozenset[str]) -> Any:
    return _new(libraries.pool(), dict.fromkeys(names, cel.Type.DYN))


def _new(pool: Any, types: Mapping[str, Any]) -> Any:
    listed = "".join(f"  - name: {name}\n    version: latest\n" for name in (*_EXTENSIONS, "bindings"))
    left_out = "".join(f"    - name: {name}\n" for name in libraries.replaced())
    text = f"name: kubernetes\nstdlib:\n  exclude_functions:\n{left_out}extensions:\n{listed}"
    config = cel.NewEnvConfigFromYaml(text)
    return cel.NewEnv(descriptor_pool=pool, config=config, variables=types, functions=libraries.functions())


def _stripped(text: str, *, first_line: int = 0) -> str:
    """Without the status codes around the message, and with places in the expression as it was given."""
    if first_line:
        text = _PLACE.sub(lambda match: f"<input>:{int(match[1]) - first_line}:", text)
    text = _UNKNOWN.sub(_at_variable, _STRUCT.sub("", text))
    head, separator, rest = text.partition(": ")
    text = rest if separator and head.replace("_", "").isupper() else text
    body, bracket, code = text.rpartition(" [")
    return body if bracket and code.rstrip("]").replace("_", "").isupper() else text


def _at_variable(match: re.Match[str]) -> str:
    """Of `params.x` where there is no `params`, that one is unknown; and it stands where it begins."""
    place, column, name, more, rest, shown = match.groups()
    at = int(column) - len(f"{name}{more}".rpartition(".")[0])
    return f"<input>:{place}:{at}: undeclared reference to '{name}'{rest}\n{shown}\n | {'.' * (at - 1)}^"


def _reason(text: str) -> str:
    text = _stripped(text)
    for ours, theirs in _WORDS:
        if ours in text:
            detail = text.partition(":")[2].strip().strip('"')
            if theirs == "no such key":
                return f"{theirs}: {detail}"
            if theirs == "index out of bounds":
                return f"{theirs}: {detail.removeprefix('index=').partition(' ')[0]}"
            return theirs
    return text
