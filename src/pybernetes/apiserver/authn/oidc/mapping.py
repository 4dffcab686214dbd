"""From the claims of a token to a user. Pure."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authn import jwt
from pybernetes.apiserver.authn.oidc import settings as settings_

if TYPE_CHECKING:
    from pybernetes.api.cel import environment

Claims = Mapping[str, Any]
AUTHENTICATED = "system:authenticated"


class ClaimError(jwt.InvalidToken):
    """What is wrong with a token's claims."""


@functools.lru_cache(maxsize=1024)
def _compiled(text: str) -> environment.Program:
    from pybernetes.api.cel import identity

    return identity.compile_mapping(text)


def _value(text: str, claims: Claims, what: str) -> Any:
    from pybernetes.api.cel import environment, identity

    try:
        return identity.of_claims(_compiled(text), claims)
    except environment.EvaluationError as error:
        raise ClaimError(f"oidc: error evaluating {what}: expression '{text}' resulted in error: {error}") from None


def user(provider: settings_.Provider, claims: Claims) -> requests.User:
    """Raises ClaimError."""
    mappings = provider.claimMappings
    name = _username(mappings.username, claims)
    groups = _groups(mappings.groups, claims)
    found = requests.User(name, _uid(mappings.uid, claims), groups, _extra(mappings.extra, claims))
    _check_claims(provider, claims)
    _check_user(provider, found)
    return found._replace(groups=groups if AUTHENTICATED in groups else (*groups, AUTHENTICATED))


def _username(mapping: settings_.Prefixed, claims: Claims) -> str:
    if mapping.expression:
        what = "username claim expression"
        name = _value(mapping.expression, claims, what)
        if not isinstance(name, str):
            raise ClaimError(f"oidc: error evaluating {what}: {what} must return a string")
        if not name:
            raise ClaimError("oidc: empty username via CEL expression is not allowed")
        return name
    name = _text(claims, mapping.claim, f'oidc: parse username claims "{mapping.claim}"')
    if mapping.claim == "email" and "email_verified" in claims:
        verified = claims["email_verified"]
        if not isinstance(verified, bool):
            raise ClaimError("oidc: parse 'email_verified' claim: not a boolean")
        if not verified:
            raise ClaimError("oidc: email not verified")
    return f"{mapping.prefix or ''}{name}"


def _text(claims: Claims, claim: str, doing: str) -> str:
    if claim not in claims:
        raise ClaimError(f"{doing}: claim not present")
    found = claims[claim]
    if not isinstance(found, str):
        raise ClaimError(f"{doing}: json: cannot unmarshal {_kind(found)} into Go value of type string")
    return found


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if value is None:
        return "null"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "number"


def _groups(mapping: settings_.Prefixed, claims: Claims) -> tuple[str, ...]:
    if mapping.expression:
        return _texts(_value(mapping.expression, claims, "group claim expression"), "group claim expression")
    if not mapping.claim or mapping.claim not in claims:
        return ()
    found = claims[mapping.claim]
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ClaimError(f'oidc: parse groups claim "{mapping.claim}": not a string or a list of strings')
    return tuple(f"{mapping.prefix or ''}{group}" for group in listed)


def _uid(mapping: settings_.Plain, claims: Claims) -> str:
    if mapping.expression:
        uid = _value(mapping.expression, claims, "uid claim expression")
        if not isinstance(uid, str):
            raise ClaimError("oidc: error evaluating uid claim expression: uid claim expression must return a string")
        return uid
    return _text(claims, mapping.claim, f'oidc: parse uid claim "{mapping.claim}"') if mapping.claim else ""


def _extra(mappings: list[settings_.Extra], claims: Claims) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    for mapping in mappings:
        what = "extra claim expression"
        texts = _texts(_value(mapping.valueExpression, claims, what), f"{what}: {mapping.valueExpression}")
        if texts:
            found.append((mapping.key, texts))
    return tuple(sorted(found))


def _texts(value: Any, what: str) -> tuple[str, ...]:
    """Of a string or a list of them; what is empty or null is left out."""
    if value is None or value == "":
        return ()
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ClaimError(f"oidc: error evaluating {what}: expression must return a string or a list of strings")
    return tuple(one for one in listed if one)


def _check_claims(provider: settings_.Provider, claims: Claims) -> None:
    for rule in provider.claimValidationRules:
        if rule.claim:
            if rule.claim not in claims:
                raise ClaimError(f"oidc: required claim {rule.claim} not present in ID token")
            found = _text(claims, rule.claim, f"oidc: parse claim {rule.claim}")
            if found != rule.requiredValue:
                what = f"Got = {found}, want = {rule.requiredValue}"
                raise ClaimError(f"oidc: required claim {rule.claim} value does not match. {what}")
        elif _value(rule.expression, claims, "claim validation expression") is not True:
            why = f"validation expression '{rule.expression}' failed: {rule.message}"
            raise ClaimError(f"oidc: error evaluating claim validation expression: {why}")


@functools.lru_cache(maxsize=1024)
def _compiled_rule(text: str) -> environment.Program:
    from pybernetes.api.cel import identity

    return identity.compile_rule(text, identity.USER)


def _check_user(provider: settings_.Provider, found: requests.User) -> None:
    if not provider.userValidationRules:
        return
    from pybernetes.api.cel import environment, identity

    tree = {
        "username": found.name,
        "uid": found.uid,
        "groups": list(found.groups),
        "extra": {key: list(values) for key, values in found.extra},
    }
    for rule in provider.userValidationRules:
        try:
            holds = identity.of_user(_compiled_rule(rule.expression), tree) is True
            why = f"validation expression '{rule.expression}' failed: {rule.message}"
        except environment.EvaluationError as error:
            holds, why = False, f"expression '{rule.expression}' resulted in error: {error}"
        if not holds:
            raise ClaimError(f"oidc: error evaluating user info validation rule: {why}")
