from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import selectors
from pybernetes.api.types import meta_v1


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("", {}, True),
        ("app=web", {"app": "web"}, True),
        ("app==web", {"app": "db"}, False),
        ("app!=web", {}, True),
        ("app", {"app": ""}, True),
        ("!app", {"app": ""}, False),
        ("app in (web, db)", {"app": "db"}, True),
        ("app notin (web)", {"app": "web"}, False),
        ("app in (web),tier", {"app": "web"}, False),
        ("n>3", {"n": "4"}, True),
        ("n>3", {"n": "x"}, False),
        ("n<3", {"n": "2"}, True),
        ("app=", {"app": ""}, True),
        ("in=in", {"in": "in"}, True),
        ("x in ()", {"x": ""}, True),
        ("x in (,a)", {"x": ""}, True),
    ],
)
def test_matching(text: str, labels: dict[str, str], expected: bool) -> None:
    assert selectors.parse(text).matches(labels) is expected


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("b=1,a=2", "a=2,b=1"),
        ("a in (z,y)", "a in (y,z)"),
        ("!a , b", "!a,b"),
        ("a==1", "a==1"),
        ("n > 3", "n>3"),
        ("a notin (x)", "a notin (x)"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert str(selectors.parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=(", "unable to parse requirement: found '(', expected: identifier"),
        (
            "n>x",
            (
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, "
                "the value must be an integer"
            ),
        ),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(selectors.SelectorError) as caught:
        selectors.parse(text)
    assert str(caught.value) == message


def test_a_bad_key_names_no_path() -> None:
    with pytest.raises(selectors.SelectorError, match='unable to parse requirement: <nil>: Invalid value: "-a"'):
        selectors.parse("-a=b")


def test_from_object() -> None:
    assert selectors.from_object(None) is selectors.NOTHING
    assert not selectors.NOTHING.matches({})
    assert selectors.from_object(meta_v1.LabelSelector()).empty
    selector = selectors.from_object(
        meta_v1.LabelSelector(
            matchLabels={"app": "web"},
            matchExpressions=[meta_v1.LabelSelectorRequirement(key="tier", operator="In", values=["b", "a"])],
        )
    )
    assert str(selector) == "app=web,tier in (a,b)"
    assert selector.exact("app") == "web"
    assert selector.exact("tier") is None
    with pytest.raises(selectors.SelectorError, match='"Like" is not a valid label selector operator'):
        selectors.from_object(
            meta_v1.LabelSelector(matchExpressions=[meta_v1.LabelSelectorRequirement(key="a", operator="Like")])
        )


keys = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_.-]{0,5}[a-zA-Z0-9]", fullmatch=True).filter(
    lambda key: key not in ("in", "notin")
)
values = st.from_regex(r"([a-z0-9]([a-z0-9._-]{0,4}[a-z0-9])?)?", fullmatch=True)
terms = st.one_of(
    st.builds(selectors.Requirement, keys, st.sampled_from(["=", "==", "!="]), st.tuples(values)),
    st.builds(
        selectors.Requirement,
        keys,
        st.sampled_from(["in", "notin"]),
        st.lists(values, min_size=1, unique=True).map(lambda v: tuple(sorted(v))),
    ),
    st.builds(selectors.Requirement, keys, st.sampled_from(["exists", "!"]), st.just(())),
    st.builds(selectors.Requirement, keys, st.sampled_from(["gt", "lt"]), st.tuples(st.integers(0, 10**9).map(str))),
)


@given(st.lists(terms, max_size=4).map(selectors.LabelSelector))
def test_text_round_trip(selector: selectors.LabelSelector) -> None:
    assert selectors.parse(str(selector)) == selector


@given(st.text(max_size=30))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        selector = selectors.parse(text)
    except selectors.SelectorError:
        return
    assert selectors.parse(str(selector)).requirements == selector.requirements


def test_fields() -> None:
    selector = selectors.parse_fields("spec.nodeName=n1,status.phase!=Running")
    assert selector.matches({"spec.nodeName": "n1", "status.phase": "Pending"})
    assert not selector.matches({"spec.nodeName": "n1", "status.phase": "Running"})
    assert selector.exact("spec.nodeName") == "n1"
    assert selector.exact("status.phase") is None
    assert selectors.parse_fields("a=").matches({})
    assert selectors.parse_fields("").empty


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", "invalid selector: 'abc'; can't understand 'abc'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        ("a=b\\x", "invalid field selector: invalid escape sequence: \\x"),
        ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
    ],
)
def test_field_errors(text: str, message: str) -> None:
    with pytest.raises(selectors.SelectorError) as caught:
        selectors.parse_fields(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("one", "other", "excluded"),
    [
        ("app=web", "app=db", True),
        ("app=web,tier=a", "app in (db),x", True),
        ("app=web", "app=web", False),
        ("app=web", "tier=a", False),
        ("app=web", "app in (web, db)", False),
        ("app=web", "app!=web", False),
        ("app", "app=web", False),
        ("", "", False),
    ],
)
def test_selectors_that_cannot_both_match(one: str, other: str, excluded: bool) -> None:
    mine, theirs = selectors.parse(one), selectors.parse(other)
    assert mine.excludes(theirs) is theirs.excludes(mine) is excluded


@given(st.dictionaries(st.from_regex(r"[a-z.]{1,6}", fullmatch=True), st.text(max_size=8), max_size=4))
def test_field_round_trip(wanted: dict[str, str]) -> None:
    terms = [selectors.FieldTerm(field, value, True) for field, value in wanted.items()]
    text = ",".join(map(str, terms))
    parsed = selectors.parse_fields(text)
    assert sorted(parsed.terms) == sorted(terms)
    assert parsed.matches(wanted)
