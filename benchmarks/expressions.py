"""Implementations of CEL beside each other: what they get right of what Kubernetes offers, and what they cost.

Usage: pip install cel-expr-python common-expression-language cel-python, then python benchmarks/expressions.py
Those that are not installed are passed over. Kubernetes' own functions are not asked for, only whether functions and
types can be added to the checker.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

SELF = {"n": 3, "s": "abc", "l": [1, 2, 3], "m": {"x": 1}, "f": 2.0}
# Expression and value; REFUSED is for what must not compile.
REFUSED = object()
CASES: tuple[tuple[str, Any], ...] = (
    ("self.n + 1 == 4", True),
    ("self.l.all(x, x > 0) && self.l.exists_one(x, x == 2)", True),
    ("self.l.map(x, x * 2) == [2, 4, 6]", True),
    ("has(self.n) && !has(self.gone)", True),
    ("self.?gone.orValue(5) == 5", True),
    ("optional.of(1).hasValue()", True),
    ("self.l.all(i, v, v == i + 1)", True),
    ("self.l.transformList(i, v, i + v) == [1, 3, 5]", True),
    ("'a,b'.split(',').join('-') == 'a-b'", True),
    ("'abc'.charAt(1) == 'b' && 'abc'.substring(1) == 'bc'", True),
    ("' Ab '.trim().lowerAscii() == 'ab'", True),
    ("'%s is %d'.format(['n', 3]) == 'n is 3'", True),
    ("sets.contains([1, 2], [2])", True),
    ("[3, 1, 2].sort() == [1, 2, 3]", True),
    ("cel.bind(x, self.n, x * x) == 9", True),
    ("self.s.matches('^[a-c]+$')", True),
    ("duration('90m') == duration('1h30m')", True),
    ("timestamp('2020-01-01T00:00:00Z').getFullYear() == 2020", True),
    ("type(self.n) == int && type(self.f) == double", True),
    ("self.n + 9223372036854775807 > 0", None),
    ("1 / 0 == 1 || true", True),
    ("'a' + 1 == 'a1'", REFUSED),
    ("unknown_name == 1", REFUSED),
    ("self ==", REFUSED),
)
TIMED = "self.n > 2 && self.l.all(x, x > 0) && self.s.matches('^a') && !has(self.gone)"


class Refused(Exception):
    """The expression does not compile."""


class Failed(Exception):
    """The expression has no value."""


Compile = Callable[[str], Callable[[dict[str, Any]], Any]]


def cel_expr_python() -> Compile:
    from cel_expr_python import cel

    names = ("two-var-comprehensions", "lists", "sets", "strings", "optional", "bindings")
    listed = "".join(f"  - name: {name}\n" for name in names)
    environment = cel.NewEnv(
        config=cel.NewEnvConfigFromYaml(f"name: bench\nextensions:\n{listed}"), variables={"self": cel.Type.DYN}
    )

    def compiled(text: str) -> Callable[[dict[str, Any]], Any]:
        try:
            program = environment.compile(text)
        except RuntimeError as error:
            raise Refused(str(error)) from None

        def run(value: dict[str, Any]) -> Any:
            found = program.eval(data={"self": value})
            if found.type() == cel.Type.ERROR:
                raise Failed(str(found.plain_value()))
            return found.plain_value()

        return run

    return compiled


def common_expression_language() -> Compile:
    import cel
    from cel import stdlib

    def compiled(text: str) -> Callable[[dict[str, Any]], Any]:
        try:
            program = cel.compile(text)
        except ValueError as error:
            raise Refused(str(error)) from None
        context = cel.Context()
        stdlib.add_stdlib_to_context(context)

        def run(value: dict[str, Any]) -> Any:
            context.add_variable("self", value)
            return program.execute(context)

        return run

    return compiled


def cel_python() -> Compile:
    import celpy

    environment = celpy.Environment()

    def compiled(text: str) -> Callable[[dict[str, Any]], Any]:
        try:
            program = environment.program(environment.compile(text))
        except celpy.CELParseError as error:
            raise Refused(str(error)) from None

        def run(value: dict[str, Any]) -> Any:
            found = program.evaluate({"self": celpy.json_to_cel(value)})
            return bool(found) if isinstance(found, celpy.celtypes.BoolType) else found

        return run

    return compiled


CANDIDATES: dict[str, tuple[str, Callable[[], Compile]]] = {
    "cel-expr-python": ("cel_expr_python", cel_expr_python),
    "common-expression-language": ("cel", common_expression_language),
    "cel-python": ("celpy", cel_python),
}


def is_right(compile_: Compile, text: str, wanted: Any) -> bool:
    try:
        run = compile_(text)
    except Refused:
        return wanted is REFUSED
    if wanted is REFUSED:
        return False
    try:
        found = run(SELF)
    except Exception:
        # Whatever it raises, it has no value.
        return wanted is None
    return wanted is not None and bool(found == wanted)


def per_call(work: Callable[[], Any], seconds: float = 0.5) -> float:
    """Microseconds."""
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        work()
        count += 1
    return (time.perf_counter() - started) / count * 1e6


def import_cost(module: str) -> str:
    what = "cel_expr_python.cel" if module == "cel_expr_python" else module
    script = (
        "import time\n"
        "size = lambda: int(open('/proc/self/statm').read().split()[1]) * 4 // 1024\n"
        f"before = size(); started = time.perf_counter(); import {what}\n"
        "print(f'{(time.perf_counter() - started) * 1000:.0f} ms, {size() - before} MB to import')"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    for name, (module, make) in CANDIDATES.items():
        if importlib.util.find_spec(module) is None:
            print(f"{name}: not installed")
            continue
        report(name, module, make())


def report(name: str, module: str, compile_: Compile) -> None:
    wrong = [text for text, wanted in CASES if not is_right(compile_, text, wanted)]
    program = compile_(TIMED)
    compiling, evaluating = per_call(lambda: compile_(TIMED)), per_call(lambda: program(SELF))
    right = f"{len(CASES) - len(wrong)} of {len(CASES)}"
    print(f"{name}: {right} right; compile {compiling:.0f} us, evaluate {evaluating:.1f} us; {import_cost(module)}")
    for text in wrong:
        print(f"    not: {text}")


if __name__ == "__main__":
    main()
