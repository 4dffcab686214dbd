"""`jsonpatch.escapeKey("a/b")`: a key as it stands in the path of a JSON patch."""

from __future__ import annotations

from cel_expr_python import cel

from pybernetes.api.cel.libraries import opaque


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def calls() -> list[opaque.Call]:
    text = cel.Type.STRING
    return [opaque.Call("jsonpatch.escapeKey", "jsonpatch_escapeKey_string", text, (text,), _escape, is_member=False)]
