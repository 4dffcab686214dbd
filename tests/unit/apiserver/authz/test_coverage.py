"""What rules grant, laid over what others do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import coverage, rules


def rule(verbs: str, groups: str = "", resources: str = "", *, names: str = "", urls: str = "") -> rbac_v1.PolicyRule:
    return rbac_v1.PolicyRule(
        verbs=verbs.split(),
        apiGroups=["" if group == "core" else group for group in groups.split()],
        resources=resources.split(),
        resourceNames=names.split(),
        nonResourceURLs=urls.split(),
    )


def test_what_is_held_is_covered() -> None:
    held = [rule("get list", "core", "pods"), rule("*", "apps", "*/scale"), rule("get", urls="/healthz/*")]
    for wanted in (
        rule("get", "core", "pods", names="a"),
        rule("list get", "core", "pods"),
        rule("update", "apps", "deployments/scale"),
        rule("get", urls="/healthz/etcd"),
    ):
        assert not coverage.missing(held, [wanted])


def test_what_is_not_held_is_told_by_resource() -> None:
    held = [rule("get", "core", "pods", names="a")]
    wanted = [
        rule("get list", "core apps", "pods"),
        rule("get", "core", "pods", names="a b"),
        rule("get post", urls="/x"),
    ]
    assert coverage.missing(held, wanted) == [
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["b"], Verbs:["get"]}',
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}',
        '{APIGroups:["apps"], Resources:["pods"], Verbs:["get" "list"]}',
        '{NonResourceURLs:["/x"], Verbs:["get"]}',
        '{NonResourceURLs:["/x"], Verbs:["post"]}',
    ]


words = st.lists(st.sampled_from(["a", "b", "*", "a/s", "*/s"]), min_size=1, max_size=3, unique=True)
policies = st.builds(
    rbac_v1.PolicyRule, verbs=words, apiGroups=words, resources=words, resourceNames=st.just([]) | words
)


@given(st.lists(policies, max_size=3), policies, st.tuples(*[st.sampled_from(["a", "b", "c"])] * 4), st.booleans())
def test_who_holds_all_may_all(
    held: list[rbac_v1.PolicyRule], wanted: rbac_v1.PolicyRule, asked: tuple[str, str, str, str], below: bool
) -> None:
    """Whatever a rule allows is allowed by those that cover it."""
    verb, group, resource, name = asked
    attributes = requests.Attributes(verb, "", group, "v1", "", resource, "s" if below else "", name)
    if not coverage.missing(held, [wanted]) and rules.allows(wanted, attributes):
        assert any(rules.allows(one, attributes) for one in held)
