from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import json_syntax

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("", "unexpected end of JSON input"),
        ('{"a":', "unexpected end of JSON input"),
        ('{"a": 1', "unexpected end of JSON input"),
        ('"a', "unexpected end of JSON input"),
        ("tru", "unexpected end of JSON input"),
        ("nope", "invalid character 'o' in literal null (expecting 'u')"),
        ("kind: Pod", "invalid character 'k' looking for beginning of value"),
        ("{a: 1}", "invalid character 'a' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a": 1 "b": 2}', "invalid character '\"' after object key:value pair"),
        ('{"a": 1,}', "invalid character '}' looking for beginning of object key string"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("{} x", "invalid character 'x' after top-level value"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
        ('"\\x"', "invalid character 'x' in string escape code"),
        ('"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"),
        ("-x", "invalid character 'x' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1e+x", "invalid character 'x' in exponent of numeric literal"),
        ("01", "invalid character '1' after top-level value"),
    ],
)
def test_words(document: str, words: str) -> None:
    assert json_syntax.problem(document.encode()) == words


@given(TREES)
def test_nothing_is_wrong_with_json(tree: object) -> None:
    assert json_syntax.problem(json.dumps(tree).encode()) == ""


@given(st.one_of(st.text(), st.text('{}[]",:1.e-tn \\u')))
def test_what_python_refuses_has_a_problem(document: str) -> None:
    try:
        json.loads(document, parse_constant=lambda _: (_ for _ in ()).throw(ValueError()))
    except ValueError:
        assert json_syntax.problem(document.encode()) != ""
    else:
        assert json_syntax.problem(document.encode()) == ""


def test_depth_costs_no_stack() -> None:
    assert json_syntax.problem(b"[" * 100_000) == json_syntax.END
