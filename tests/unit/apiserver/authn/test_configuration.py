"""The file of --authentication-config."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pybernetes.apiserver.authn import configuration

ISSUER = {"url": "https://issuer", "audiences": ["a"]}
MAPPINGS = {"username": {"claim": "sub", "prefix": ""}}


def parsed(*jwt: Any, **more: Any) -> configuration.Configuration:
    tree = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": jwt, **more}
    return configuration.parse(json.dumps(tree).encode(), own_issuers=["https://own"])


def jwt(*, issuer: Any = None, mappings: Any = None, **more: Any) -> Any:
    return {"issuer": {**ISSUER, **(issuer or {})}, "claimMappings": {**MAPPINGS, **(mappings or {})}, **more}


def test_what_is_said() -> None:
    found = parsed(jwt(), anonymous={"enabled": True, "conditions": [{"path": "/healthz"}]})
    assert found.providers[0].issuer.url == "https://issuer"
    assert (found.anonymous, found.anonymous_paths) == (True, ("/healthz",))
    assert parsed() == ((), None, ())


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (jwt(issuer={"url": ""}), "jwt[0].issuer.url: Required value"),
        (jwt(issuer={"url": "http://x"}), "URL scheme must be https"),
        (jwt(issuer={"url": "https://a:b@x"}), "URL must not contain a username or password"),
        (jwt(issuer={"url": "https://x?y"}), "URL must not contain a query"),
        (jwt(issuer={"url": "https://own"}), "URL must not overlap with disallowed issuers: [https://own]"),
        (jwt(issuer={"discoveryURL": "https://issuer/"}), "discoveryURL must be different from URL"),
        (jwt(issuer={"audiences": []}), "at least one jwt[0].issuer.audiences is required"),
        (jwt(issuer={"audiences": ["a", "b"]}), "audienceMatchPolicy must be MatchAny for multiple audiences"),
        (jwt(issuer={"certificateAuthority": "x"}), 'certificateAuthority: Invalid value: "<omitted>"'),
        (jwt(mappings={"username": {}}), "jwt[0].claimMappings.username: Required value: claim or expression is"),
        (jwt(mappings={"username": {"claim": "sub"}}), "prefix is required when claim is set"),
        (jwt(mappings={"username": {"claim": "a", "expression": "b"}}), "claim and expression can't both be set"),
        (jwt(mappings={"username": {"expression": "claims.email"}}), "claims.email_verified must be used in"),
        (jwt(mappings={"uid": {"expression": "1 +"}}), "uid.expression: Invalid value"),
        (jwt(mappings={"extra": [{"key": "x", "valueExpression": "'a'"}]}), "must be a domain-prefixed path"),
        (jwt(mappings={"extra": [{"key": "a.k8s.io/x", "valueExpression": "'a'"}]}), "are reserved for Kubernetes use"),
        (jwt(claimValidationRules=[{}]), "claim or expression is required"),
        (jwt(claimValidationRules=[{"claim": "a", "message": "m"}]), "may not be specified when claim is set"),
        (jwt(claimValidationRules=[{"expression": "claims.a"}]), "compilation failed: must evaluate to bool"),
        (jwt(userValidationRules=[{"expression": "user.nobody"}]), "undefined field 'nobody'"),
        (jwt(odd=1), "error decoding authentication configuration"),
    ],
)
def test_what_is_wrong(wrong: Any, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parsed(wrong)


def test_verified_addresses_may_be_names() -> None:
    rule = {"expression": "claims.email_verified == true"}
    parsed(jwt(mappings={"username": {"expression": "claims.email"}}, claimValidationRules=[rule]))


def test_twice_the_same() -> None:
    with pytest.raises(ValueError, match="Duplicate value"):
        parsed(jwt(), jwt())


def test_conditions_of_what_is_off() -> None:
    with pytest.raises(ValueError, match="enabled should be set to true when conditions are defined"):
        parsed(anonymous={"enabled": False, "conditions": [{"path": "/"}]})
