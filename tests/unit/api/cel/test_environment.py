"""Expressions over schemas: what compiles, what comes out, and the words of what does not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.cel import declarations, environment, values

SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "n": {"type": "integer"},
                "s": {"type": "string", "maxLength": 10},
                "my-field": {"type": "number"},
                "namespace": {"type": "string"},
                "port": {"x-kubernetes-int-or-string": True},
                "when": {"type": "string", "format": "date-time"},
                "took": {"type": "string", "format": "duration"},
                "data": {"type": "string", "format": "byte"},
                "flags": {"type": "object", "additionalProperties": {"type": "boolean"}},
                "parts": {
                    "type": "array",
                    "maxItems": 20,
                    "items": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}},
                },
                "grid": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
                "named_things": {
                    "type": "object",
                    "additionalProperties": {"type": "object", "properties": {"on": {"type": "boolean"}}},
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    },
}
OBJECT = {
    "apiVersion": "example.com/v1",
    "kind": "Thing",
    "metadata": {"name": "a", "labels": {"x": "y"}},
    "spec": {
        "n": 3,
        "s": "abc",
        "my-field": 2,
        "namespace": "ns",
        "port": "http",
        "when": "2020-01-01T00:00:00.123456789Z",
        "took": "1h30m",
        "data": "aGk=",
        "flags": {"a": True},
        "parts": [{"name": "x"}, {"name": "y"}],
        "named_things": {"k": {"on": True}},
        "free": {"unseen": 1},
    },
}


def declared() -> declarations.Declaration:
    found = declarations.of(SCHEMA, root=True)
    assert found is not None
    return found


DECLARED = declared()
ENVIRONMENT = environment.Environment(
    {"self": environment.Variable(DECLARED), "oldSelf": environment.Variable(DECLARED)}
)
OPTIONAL = environment.Environment(
    {"self": environment.Variable(DECLARED), "oldSelf": environment.Variable(DECLARED, optional=True)}
)
VALUE = values.of(OBJECT, DECLARED)


@pytest.mark.parametrize(
    "expression",
    [
        "self.spec.n > 2 && self.spec.n < 3.5",
        "self.spec.my__dash__field == 2.0 && self.spec.my__dash__field > 1",
        "self.spec.__namespace__ == 'ns'",
        "self.metadata.name == 'a' && self.kind == 'Thing'",
        "type(self.spec.port) == string && self.spec.port == 'http'",
        "self.spec.when.getFullYear() == 2020 && self.spec.when < timestamp('2021-01-01T00:00:00Z')",
        "self.spec.took == duration('90m')",
        "self.spec.data == b'hi'",
        "self.spec.flags['a'] && self.spec.flags.all(k, k == 'a')",
        "self.spec.parts.all(p, p.name.size() == 1) && self.spec.parts.exists_one(p, p.name == 'y')",
        "self.spec.parts.all(i, p, i < 2 && p.name != '')",
        "self.spec.parts.map(p, p.name) == ['x', 'y'] && self.spec.parts.map(p, p.name).isSorted()",
        "self.spec.named_things['k'].on",
        "!has(self.spec.grid) && self.spec.?grid.orValue([]).size() == 0",
        "self == oldSelf",
        "cel.bind(x, self.spec.n, x * x) == 9",
        "[3, 1, 2].sort() == [1, 2, 3] && sets.contains([1, 2], [2])",
        "'a,b'.split(',').join('-') == 'a-b' && 'abc'.substring(1) == 'bc' && '%d'.format([3]) == '3'",
        "quantity('1Gi') == quantity('1024Mi') && quantity('1Ki') == quantity('1024')",
        "quantity('50k').add(20).sub(quantity('100k')).sub(-50000) == quantity('20')",
        "quantity('50M').compareTo(quantity('50Mi')) == -1 && quantity('1.5').isInteger() == false",
        "quantity('2').asInteger() == 2 && quantity('-1').sign() == -1 && !isQuantity('1,3G')",
        "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('v1.0', true).compareTo(semver('1.0.0')) == 0",
        "semver('1.0.0-rc.1').isLessThan(semver('1.0.0')) && semver('1.0.0-1').isLessThan(semver('1.0.0-a'))",
        "semver('3.4.5').minor() == 4 && !isSemver('v1.0') && semver('1.0.0+x') == semver('1.0.0+y')",
        "ip('::1').isLoopback() && ip('10.0.0.1').family() == 4 && ip.isCanonical('10.0.0.1')",
        "ip('224.0.0.1').isLinkLocalMulticast() && ip('8.8.8.8').isGlobalUnicast() && !isIP('1.2.3')",
        "string(ip('::1')) == '::1' && string(cidr('10.0.0.0/8')) == '10.0.0.0/8' && string(1) == '1'",
        "cidr('10.0.0.0/8').containsIP('10.1.1.1') && !cidr('10.0.0.0/8').containsIP(ip('11.1.1.1'))",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))",
        "cidr('10.1.2.3/8').ip() == ip('10.1.2.3') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')",
        "cidr('fd00::/8').prefixLength() == 8 && !isCIDR('10.0.0.1')",
        "url('https://u@[::1]:80/a b?k=v&k=w').getHostname() == '::1' && isURL('/absolute') && !isURL('../x')",
        "url('https://a.b:80/p?k=v&k=w').getQuery() == {'k': ['v', 'w']} && url('https://a.b:80').getPort() == '80'",
        "url('https://a/x y/').getEscapedPath() == '/x%20y/' && url('/p').getScheme() == ''",
        "'abc 123 d4'.findAll('[0-9]+') == ['123', '4'] && 'aabb'.find('(a)(b)') == 'ab' && 'x'.find('y') == ''",
        "'a1b2'.findAll('[0-9]', 1) == ['1'] && '(x)'.find('[(]x\\\\)') == '(x)'",
        "[3, 1].min() == 1 && [1.5, 2.5].sum() == 4.0 && ['b', 'a'].max() == 'b'",
        "[duration('1m'), duration('30s')].sum() == duration('90s')",
    ],
)
def test_true(expression: str) -> None:
    program = ENVIRONMENT.compile(expression)
    assert program.kind == "bool"
    assert program.evaluate({"self": VALUE, "oldSelf": VALUE}) is True


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("self.zz", "ERROR: <input>:1:5: undefined field 'zz'\n | self.zz\n | ....^"),
        ("self.spec.free.unseen", "undefined field 'unseen'"),
        ("self.metadata.labels", "undefined field 'labels'"),
        ("self.spec.n == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"),
        ("self ==", "Syntax error: mismatched input '<EOF>'"),
        ("other", "undeclared reference to 'other' (in container '')"),
        ("self.spec.parts[0].nam", "undefined field 'nam'"),
    ],
)
def test_what_does_not_compile(expression: str, words: str) -> None:
    for where in (ENVIRONMENT, OPTIONAL):
        with pytest.raises(environment.CompileError) as caught:
            where.compile(expression)
        assert words in str(caught.value)
        assert "<input>:1:" in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("self.spec.grid.size() == 0", "no such key: grid"),
        ("1 / (self.spec.n - 3) == 1", "division by zero"),
        ("self.spec.parts[4].name == ''", "index out of bounds: 4"),
        ("self.spec.port > 1", "no such overload"),
        ("quantity('x') == quantity('1')", "quantities must match the regular expression"),
        ("[].max() == 1", "max called on empty list"),
    ],
)
def test_what_has_no_value(expression: str, words: str) -> None:
    with pytest.raises(environment.EvaluationError) as caught:
        ENVIRONMENT.compile(expression).evaluate({"self": VALUE})
    assert str(caught.value).startswith(words)


def test_an_optional_variable() -> None:
    program = OPTIONAL.compile("oldSelf.hasValue() ? oldSelf.value().spec.n == 3 : self.spec.n == 3 // both")
    assert program.uses == {"self", "oldSelf"}
    assert program.evaluate({"self": VALUE}) is True
    assert program.evaluate({"self": VALUE, "oldSelf": VALUE}) is True
    assert OPTIONAL.compile("oldSelf.?spec.?n.orValue(7)").evaluate({"self": VALUE}) == 7


def test_too_much_work_is_given_up() -> None:
    program = ENVIRONMENT.compile(
        "self.spec.parts.all(x, self.spec.parts.all(y, self.spec.parts.all(z, x != z || y == y)))"
    )
    much = values.of({"spec": {"parts": [{"name": "x"}] * 100}}, DECLARED)
    with pytest.raises(environment.BudgetError):
        program.evaluate({"self": much})


@pytest.mark.parametrize(
    ("expression", "worst"),
    [
        ("self.spec.n > 2", 4),
        ("self.spec.s == 'a'", 4),
        ("self.spec.parts.all(p, p.name == 'a')", 3 + 20 * (2 + 4) + 1),
        ("has(self.spec.n)", 2),
        ("self.spec.s.matches('^a+$')", 3 + 5 * 1),
        ("type(self.spec.port) == string", 6),
    ],
)
def test_costs(expression: str, worst: int) -> None:
    assert ENVIRONMENT.compile(expression).worst == worst


def test_names() -> None:
    given = ("a-b.c/d", "__x", "namespace", "1a", "a b", "")
    assert [declarations.escaped(name) for name in given] == [
        "a__dash__b__dot__c__slash__d",
        "__underscores__x",
        "__namespace__",
        None,
        None,
        None,
    ]


PIECES = (
    *(
        "self",
        ".spec",
        ".n",
        ".parts",
        "[0]",
        ".all(x, ",
        ")",
        "(",
        " + ",
        " && ",
        "1",
        "'a'",
        "x",
        " == ",
        "has(",
        "{",
    ),
    *("}", "[", "]", "?", ":", "quantity(", "null", "!", ".?", "cel.bind(", ",", "//", "\n", "\x00"),
    *("\u2603", "'"),
)
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@settings(max_examples=300, deadline=None)
@given(texts)
def test_nothing_but_its_own_errors(expression: str) -> None:
    for where in (ENVIRONMENT, OPTIONAL):
        try:
            program = where.compile(expression)
        except environment.CompileError:
            continue
        assert program.worst >= 0
        try:
            program.evaluate({"self": VALUE})
        except environment.EvaluationError:
            continue
