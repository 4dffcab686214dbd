"""`find` and `findAll`: what matches a regular expression, by RE2, as no other engine is safe from hostile patterns."""

from __future__ import annotations

import functools
import re
from typing import Any

from cel_expr_python import cel

from pybernetes.api.cel.libraries import opaque

# Escaped characters and classes, in which a parenthesis is one, and what opens a group that captures.
_TOKENS = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\((?!\?)|\(\?P?<\w+>", re.DOTALL)


@functools.cache
def _all() -> Any:
    config = cel.NewEnvConfigFromYaml("name: patterns\nextensions:\n  - name: regex\n  - name: optional\n")
    variables = {"text": cel.Type.STRING, "pattern": cel.Type.STRING}
    return cel.NewEnv(config=config, variables=variables).compile("regex.extractAll(text, pattern)")


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    # The whole match is wanted, and not its groups.
    whole = _TOKENS.sub(lambda match: "(?:" if match[0][0] == "(" else match[0], pattern)
    found = _all().eval(data={"text": text, "pattern": f"({whole})"})
    if found.type() == cel.Type.ERROR:
        raise ValueError(f"Illegal regex: {pattern}")
    matches = list(found.plain_value())
    return matches if limit < 0 else matches[:limit]


def _find(text: str, pattern: str) -> str:
    matches = _find_all(text, pattern)
    return matches[0] if matches else ""


def calls() -> list[opaque.Call]:
    t = cel.Type
    texts = t.List(t.STRING)
    return [
        opaque.Call("find", "string_find_string", t.STRING, (t.STRING, t.STRING), _find),
        opaque.Call("findAll", "string_find_all_string", texts, (t.STRING, t.STRING), _find_all),
        opaque.Call("findAll", "string_find_all_string_int", texts, (t.STRING, t.STRING, t.INT), _find_all),
    ]
