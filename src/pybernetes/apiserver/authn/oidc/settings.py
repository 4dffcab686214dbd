"""What is known of a provider, and how its claims become users: as in an AuthenticationConfiguration."""

from __future__ import annotations

import msgspec


class Issuer(msgspec.Struct, forbid_unknown_fields=True):
    """`certificateAuthority` is PEM; without one, the system's authorities are trusted."""

    url: str = ""
    discoveryURL: str | None = None
    certificateAuthority: str = ""
    audiences: list[str] = []
    audienceMatchPolicy: str = ""
    egressSelectorType: str = ""


class ClaimRule(msgspec.Struct, forbid_unknown_fields=True):
    """A claim that must have a value, or an expression that must hold."""

    claim: str = ""
    requiredValue: str = ""
    expression: str = ""
    message: str = ""


class Prefixed(msgspec.Struct, forbid_unknown_fields=True):
    claim: str = ""
    prefix: str | None = None
    expression: str = ""


class Plain(msgspec.Struct, forbid_unknown_fields=True):
    claim: str = ""
    expression: str = ""


class Extra(msgspec.Struct, forbid_unknown_fields=True):
    key: str = ""
    valueExpression: str = ""


class Mappings(msgspec.Struct, forbid_unknown_fields=True):
    username: Prefixed = msgspec.field(default_factory=Prefixed)
    groups: Prefixed = msgspec.field(default_factory=Prefixed)
    uid: Plain = msgspec.field(default_factory=Plain)
    extra: list[Extra] = []


class UserRule(msgspec.Struct, forbid_unknown_fields=True):
    expression: str = ""
    message: str = ""


class Provider(msgspec.Struct, forbid_unknown_fields=True):
    issuer: Issuer = msgspec.field(default_factory=Issuer)
    claimValidationRules: list[ClaimRule] = []
    claimMappings: Mappings = msgspec.field(default_factory=Mappings)
    userValidationRules: list[UserRule] = []
