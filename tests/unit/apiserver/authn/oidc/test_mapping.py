"""From claims to users."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver.authn import jwt
from pybernetes.apiserver.authn.oidc import mapping
from pybernetes.apiserver.authn.oidc import settings as oidc

CLAIMS = {"sub": "jane", "email": "j@x", "roles": "a,b", "dept": {"id": "7"}, "n": 3}


def provider(username: oidc.Prefixed | None = None, **more: Any) -> oidc.Provider:
    rules = {name: more.pop(name) for name in ("claimValidationRules", "userValidationRules") if name in more}
    named = username or oidc.Prefixed(claim="sub", prefix="")
    return oidc.Provider(claimMappings=oidc.Mappings(username=named, **more), **rules)


def test_expressions() -> None:
    wanted = provider(
        oidc.Prefixed(expression="'x:' + claims.sub"),
        groups=oidc.Prefixed(expression="claims.roles.split(',')"),
        uid=oidc.Plain(expression="claims.dept.id"),
        extra=[
            oidc.Extra(key="example.com/mail", valueExpression="claims.email"),
            oidc.Extra(key="example.com/none", valueExpression="''"),
        ],
    )
    assert mapping.user(wanted, CLAIMS) == (
        "x:jane",
        "7",
        ("a", "b", "system:authenticated"),
        (("example.com/mail", ("j@x",)),),
    )


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (provider(oidc.Prefixed(claim="none", prefix="")), "claim not present"),
        (provider(oidc.Prefixed(expression="''")), "empty username via CEL expression is not allowed"),
        (provider(oidc.Prefixed(expression="claims.n")), "username claim expression must return a string"),
        (provider(oidc.Prefixed(expression="claims.none")), "no such key: none"),
        (provider(groups=oidc.Prefixed(expression="[claims.n]")), "must return a string or a list of strings"),
        (
            provider(claimValidationRules=[oidc.ClaimRule(claim="sub", requiredValue="bob")]),
            "oidc: required claim sub value does not match. Got = jane, want = bob",
        ),
        (
            provider(claimValidationRules=[oidc.ClaimRule(claim="hd", requiredValue="x")]),
            "oidc: required claim hd not present in ID token",
        ),
        (
            provider(claimValidationRules=[oidc.ClaimRule(expression="claims.n > 3", message="too few")]),
            "validation expression 'claims.n > 3' failed: too few",
        ),
        (
            provider(userValidationRules=[oidc.UserRule(expression="user.username != 'jane'", message="not she")]),
            "validation expression 'user.username != 'jane'' failed: not she",
        ),
    ],
)
def test_what_is_wrong(wanted: oidc.Provider, why: str) -> None:
    with pytest.raises(jwt.InvalidToken) as caught:
        mapping.user(wanted, CLAIMS)
    assert why in str(caught.value)


@pytest.mark.parametrize(("verified", "good"), [(True, True), (False, False), ("true", False), (None, False)])
def test_addresses_must_be_verified_where_it_is_said(verified: Any, good: bool) -> None:
    wanted = provider(oidc.Prefixed(claim="email", prefix=""))
    assert mapping.user(wanted, CLAIMS).name == "j@x"
    try:
        found = mapping.user(wanted, {**CLAIMS, "email_verified": verified}).name == "j@x"
    except jwt.InvalidToken:
        found = False
    assert found is good


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["sub", "groups", "uid", "email", "email_verified"]), trees))
def test_whatever_claims_are_it_is_a_user_or_an_error(claims: dict[str, Any]) -> None:
    for name in ("sub", "email"):
        wanted = provider(
            oidc.Prefixed(claim=name, prefix="p:"),
            groups=oidc.Prefixed(claim="groups", prefix=""),
            uid=oidc.Plain(claim="uid"),
        )
        try:
            found = mapping.user(wanted, claims)
        except jwt.InvalidToken:
            continue
        assert found.name.startswith("p:")
        assert hash(found)
