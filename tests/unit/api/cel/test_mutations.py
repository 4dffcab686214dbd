from __future__ import annotations

import datetime

import pytest

from pybernetes.api.cel import mutations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Object{a: 1}", 'dyn({"a": 1})'),
        ("Object { a : Object.a{b: c}, ?d: e }", 'dyn({ "a" : dyn({"b": c}), ?"d": e })'),
        ("x.Object{a: 1}", "x.Object{a: 1}"),
        ("{'Object{': Object{}}", "{'Object{': dyn({})}"),
        ("Object{a: f(b, c), d: [e, f], g: {h: i}}", 'dyn({"a": f(b, c), "d": [e, f], "g": {h: i}})'),
        ("Object == 1 // Object{a: 1}", "Object == 1 // Object{a: 1}"),
        ("JSONPatch{op: 'add'}", "dyn({\"op\": 'add'})"),
        ("Object{`a-b`: 1}", 'dyn({"a-b": 1})'),
    ],
)
def test_objects_become_maps(text: str, expected: str) -> None:
    assert mutations.rewritten(text).text == expected


def test_what_is_made() -> None:
    assert mutations.rewritten("x ? Object{a: Object.a{}} : Object.b{}").roots == ("Object", "Object.b")


def test_trees() -> None:
    when = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    assert mutations.tree({"a": [1.0, 1.5, b"x", when, datetime.timedelta(seconds=90)]}) == {
        "a": [1, 1.5, "eA==", "2026-01-02T00:00:00Z", "90s"]
    }
    with pytest.raises(ValueError, match="unsupported type: object"):
        mutations.tree(object())
