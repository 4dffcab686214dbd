"""The file of `--authentication-config`: identity providers, and who may come without credentials.

apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt: [{issuer: {...}, claimMappings: {...}, ...}]
anonymous: {enabled: true, conditions: [{path: /healthz}]}
"""

from __future__ import annotations

import pathlib
import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import msgspec

from pybernetes.api import codecs, fields, wording
from pybernetes.apiserver.authn.oidc import settings
from pybernetes.apiserver.resources import checks

if TYPE_CHECKING:
    from pybernetes.api.cel import environment

VERSIONS = ("apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1", "apiserver.config.k8s.io/v1alpha1")
KIND = "AuthenticationConfiguration"
MOST_PROVIDERS = 64
_BOTH = "claim and expression can't both be set"
_EMAIL = re.compile(r"\bclaims\s*\.\s*\?\s*email(_verified)?\b")
_UNVERIFIED = (
    "claims.email_verified must be used in claimMappings.username.expression or "
    "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in "
    "claimMappings.username.expression"
)


class Condition(msgspec.Struct, forbid_unknown_fields=True):
    path: str = ""


class Anonymous(msgspec.Struct, forbid_unknown_fields=True):
    enabled: bool = False
    conditions: list[Condition] = []


class Document(msgspec.Struct, forbid_unknown_fields=True):
    apiVersion: str = ""
    kind: str = ""
    jwt: list[settings.Provider] = []
    anonymous: Anonymous | None = None


class Configuration(NamedTuple):
    """`anonymous` is None where the file does not say; of paths, () is all."""

    providers: tuple[settings.Provider, ...]
    anonymous: bool | None
    anonymous_paths: tuple[str, ...]


def load(path: pathlib.Path, *, own_issuers: Sequence[str] = ()) -> Configuration:
    """Raises OSError, and ValueError for what cannot be used."""
    return parse(path.read_bytes(), own_issuers=own_issuers)


def parse(data: bytes, *, own_issuers: Sequence[str] = ()) -> Configuration:
    """YAML or JSON; `own_issuers` are those of service accounts. Raises ValueError."""
    try:
        found = msgspec.convert(codecs.decode_yaml(data), Document)
    except (codecs.DecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"error decoding authentication configuration: {error}") from None
    if found.apiVersion not in VERSIONS or found.kind != KIND:
        raise ValueError(f"{found.apiVersion}, Kind={found.kind} is not an {KIND}")
    problems = [*providers(found.jwt, own_issuers), *_anonymous(found.anonymous)]
    if problems:
        raise ValueError(wording.aggregate(map(str, problems)))
    anonymous = found.anonymous
    return Configuration(
        tuple(found.jwt),
        anonymous.enabled if anonymous is not None else None,
        tuple(condition.path for condition in anonymous.conditions) if anonymous is not None else (),
    )


def _anonymous(given: Anonymous | None) -> Iterator[fields.FieldError]:
    if given is not None and given.conditions and not given.enabled:
        path = fields.Path("anonymous")["conditions"]
        yield fields.invalid(path, given.conditions, "enabled should be set to true when conditions are defined")


def providers(given: Sequence[settings.Provider], own_issuers: Sequence[str]) -> Iterator[fields.FieldError]:
    """What is wrong with them."""
    root = fields.Path("jwt")
    if len(given) > MOST_PROVIDERS:
        yield fields.too_many(root, len(given), MOST_PROVIDERS)
        return
    urls: set[str] = set()
    discovery: set[str] = set()
    for index, one in enumerate(given):
        path, issuer = root[index], one.issuer
        yield from _issuer(issuer, own_issuers, path["issuer"])
        yield from _claim_rules(one.claimValidationRules, path["claimValidationRules"])
        yield from _mappings(one, path["claimMappings"])
        yield from _user_rules(one.userValidationRules, path["userValidationRules"])
        if issuer.url in urls:
            yield fields.duplicate(path["issuer"]["url"], issuer.url)
        if issuer.discoveryURL and issuer.discoveryURL in discovery:
            yield fields.duplicate(path["issuer"]["discoveryURL"], issuer.discoveryURL)
        urls.add(issuer.url)
        discovery.add(issuer.discoveryURL or "")


def _issuer(issuer: settings.Issuer, own: Sequence[str], path: fields.Path) -> Iterator[fields.FieldError]:
    if not issuer.url:
        yield fields.required(path["url"])
    else:
        yield from _url(issuer.url, own, path["url"])
    if issuer.discoveryURL:
        if issuer.url.rstrip("/") == issuer.discoveryURL.rstrip("/"):
            yield fields.invalid(path["discoveryURL"], issuer.discoveryURL, "discoveryURL must be different from URL")
        yield from _url(issuer.discoveryURL, (), path["discoveryURL"])
    yield from _audiences(issuer, path)
    if issuer.certificateAuthority:
        try:
            ssl.create_default_context(cadata=issuer.certificateAuthority)
        except (ssl.SSLError, ValueError):
            words = "data does not contain any valid RSA or ECDSA certificates"
            yield fields.invalid(path["certificateAuthority"], "<omitted>", words)
    if issuer.egressSelectorType not in ("", "controlplane", "cluster"):
        words = "egress selector must be either controlplane or cluster"
        yield fields.invalid(path["egressSelectorType"], issuer.egressSelectorType, words)


def _url(url: str, disallowed: Sequence[str], path: fields.Path) -> Iterator[fields.FieldError]:
    if url in disallowed:
        words = f"URL must not overlap with disallowed issuers: [{' '.join(sorted(disallowed))}]"
        yield fields.invalid(path, url, words)
    try:
        parts = urlsplit(url)
    except ValueError as error:
        yield fields.invalid(path, url, str(error))
        return
    for wrong, words in (
        (parts.scheme != "https", "URL scheme must be https"),
        ("@" in parts.netloc, "URL must not contain a username or password"),
        (bool(parts.query), "URL must not contain a query"),
        (bool(parts.fragment), "URL must not contain a fragment"),
    ):
        if wrong:
            yield fields.invalid(path, url, words)


def _audiences(issuer: settings.Issuer, path: fields.Path) -> Iterator[fields.FieldError]:
    at, policy = path["audiences"], issuer.audienceMatchPolicy
    if not issuer.audiences:
        yield fields.required(at, f"at least one {at} is required")
        return
    for index, audience in enumerate(issuer.audiences):
        if not audience:
            yield fields.required(at[index])
        elif audience in issuer.audiences[:index]:
            yield fields.duplicate(at[index], audience)
    if len(issuer.audiences) > 1 and policy != "MatchAny":
        words = "audienceMatchPolicy must be MatchAny for multiple audiences"
        yield fields.invalid(path["audienceMatchPolicy"], policy, words)
    elif policy not in ("", "MatchAny"):
        words = "audienceMatchPolicy must be empty or MatchAny for single audience"
        yield fields.invalid(path["audienceMatchPolicy"], policy, words)


def _claim_rules(rules: Sequence[settings.ClaimRule], path: fields.Path) -> Iterator[fields.FieldError]:
    claims: set[str] = set()
    expressions: set[str] = set()
    for index, rule in enumerate(rules):
        at = path[index]
        if rule.claim and rule.expression:
            yield fields.invalid(at, rule.claim, _BOTH)
        elif rule.claim:
            if rule.message:
                yield fields.invalid(at["message"], rule.message, "may not be specified when claim is set")
            if rule.claim in claims:
                yield fields.duplicate(at["claim"], rule.claim)
            claims.add(rule.claim)
        elif not rule.expression:
            yield fields.required(at, "claim or expression is required")
        else:
            if rule.requiredValue:
                words = "may not be specified when expression is set"
                yield fields.invalid(at["requiredValue"], rule.requiredValue, words)
            yield from _expression(rule.expression, expressions, at["expression"], _claim_rule)


def _user_rules(rules: Sequence[settings.UserRule], path: fields.Path) -> Iterator[fields.FieldError]:
    expressions: set[str] = set()
    for index, rule in enumerate(rules):
        yield from _expression(rule.expression, expressions, path[index]["expression"], _user_rule)


def _claim_rule(text: str) -> environment.Program:
    from pybernetes.api.cel import identity

    return identity.compile_rule(text, identity.CLAIMS)


def _user_rule(text: str) -> environment.Program:
    from pybernetes.api.cel import identity

    return identity.compile_rule(text, identity.USER)


def _mapping(text: str) -> environment.Program:
    from pybernetes.api.cel import identity

    return identity.compile_mapping(text)


def _expression(
    text: str, seen: set[str], path: fields.Path, compile_: Callable[[str], environment.Program]
) -> Iterator[fields.FieldError]:
    """One that must be there, and be no other's too."""
    if not text.strip():
        yield fields.required(path)
        return
    if text in seen:
        yield fields.duplicate(path, text)
        return
    seen.add(text)
    from pybernetes.api.cel import environment

    try:
        compile_(text)
    except environment.CompileError as error:
        yield fields.invalid(path, text, f"compilation failed: {error}")


def _mappings(one: settings.Provider, path: fields.Path) -> Iterator[fields.FieldError]:
    mappings = one.claimMappings
    yield from _prefixed(mappings.username, path["username"], needed=True)
    yield from _prefixed(mappings.groups, path["groups"], needed=False)
    if mappings.uid.claim and mappings.uid.expression:
        yield fields.invalid(path["uid"], "", _BOTH)
    elif mappings.uid.expression:
        yield from _expression(mappings.uid.expression, set(), path["uid"]["expression"], _mapping)
    keys: set[str] = set()
    for index, extra in enumerate(mappings.extra):
        at = path["extra"][index]
        yield from checks.domain_prefixed_path(extra.key, at["key"])
        if extra.key != extra.key.lower():
            yield fields.invalid(at["key"], extra.key, "must be lowercase")
        domain = f".{extra.key.partition('/')[0]}"
        if domain.endswith((".kubernetes.io", ".k8s.io")):
            words = "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
            yield fields.invalid(at["key"], extra.key, words)
        if extra.key in keys:
            yield fields.duplicate(at["key"], extra.key)
        else:
            yield from _expression(extra.valueExpression, set(), at["valueExpression"], _mapping)
        keys.add(extra.key)
    others = [extra.valueExpression for extra in mappings.extra]
    others += [rule.expression for rule in one.claimValidationRules]
    name = mappings.username.expression
    if "email" in _claims(name) and not any("email_verified" in _claims(text) for text in (name, *others)):
        yield fields.invalid(path["username"]["expression"], name, _UNVERIFIED)


def _claims(text: str) -> set[str]:
    """The claims that an expression reads, as far as it matters here."""
    if "email" not in text:
        return set()
    from pybernetes.api.cel import environment

    try:
        program = _mapping(text)
    except environment.CompileError:
        return set()
    optional = {f"email{match[1] or ''}" for match in _EMAIL.finditer(text)}
    return {name for holder, name in program.reads if holder == "claims"} | optional


def _prefixed(mapping: settings.Prefixed, path: fields.Path, *, needed: bool) -> Iterator[fields.FieldError]:
    if mapping.expression and mapping.claim:
        yield fields.invalid(path, "", _BOTH)
    elif mapping.expression:
        if mapping.prefix is not None:
            yield fields.invalid(path["prefix"], mapping.prefix, "may not be specified when expression is set")
        yield from _expression(mapping.expression, set(), path["expression"], _mapping)
    elif mapping.claim:
        if mapping.prefix is None:
            words = "prefix is required when claim is set. It can be set to an empty string to disable prefixing"
            yield fields.required(path["prefix"], words)
    elif needed:
        yield fields.required(path, "claim or expression is required")
