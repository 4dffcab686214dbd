"""The audit policy file (audit.k8s.io/v1): its first rule that matches a request says how much is noted of it."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from pybernetes.api import codecs, fields, names, wording
from pybernetes.apiserver import request as requests

log = logging.getLogger(__name__)

VERSION, KIND = "audit.k8s.io/v1", "Policy"
NONE, METADATA, REQUEST, RESPONSE = "None", "Metadata", "Request", "RequestResponse"
LEVELS = (NONE, METADATA, REQUEST, RESPONSE)
RECEIVED, STARTED, COMPLETE, PANIC = "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"
STAGES = (RECEIVED, STARTED, COMPLETE, PANIC)
ANY = "*"


class PolicyError(ValueError):
    """A policy that cannot be used, in upstream's words."""


class Scope(NamedTuple):
    """How much is noted of a request."""

    level: str
    omitted: frozenset[str] = frozenset()
    without_managed_fields: bool = False

    @property
    def has_request(self) -> bool:
        return self.level in (REQUEST, RESPONSE)

    @property
    def has_response(self) -> bool:
        return self.level == RESPONSE


class Resources(msgspec.Struct):
    group: str = ""
    resources: list[str] = []
    resourceNames: list[str] = []


class Rule(msgspec.Struct):
    level: str = ""
    users: list[str] = []
    userGroups: list[str] = []
    verbs: list[str] = []
    resources: list[Resources] = []
    namespaces: list[str] = []
    nonResourceURLs: list[str] = []
    omitStages: list[str] = []
    omitManagedFields: bool | None = None


class Policy(msgspec.Struct):
    """As the file has it."""

    apiVersion: str = ""
    kind: str = ""
    metadata: dict[str, Any] = {}
    rules: list[Rule] = []
    omitStages: list[str] = []
    omitManagedFields: bool = False

    def scope(self, user: requests.User, attributes: requests.Attributes) -> Scope:
        for rule in self.rules:
            if _matches(rule, user, attributes):
                own = rule.omitManagedFields
                omitted = frozenset((*self.omitStages, *rule.omitStages))
                return Scope(rule.level, omitted, self.omitManagedFields if own is None else own)
        return Scope(NONE)


def read(path: pathlib.Path) -> Policy:
    """Raises PolicyError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PolicyError(f'failed to read file path "{path}": {error.strerror}') from None
    try:
        return parse(data)
    except PolicyError as error:
        raise PolicyError(f"{error}: from file {path}") from None


def parse(data: bytes) -> Policy:
    """YAML or JSON. Raises PolicyError."""
    try:
        tree = codecs.decode_yaml(data)
        policy = msgspec.convert(tree, Policy)
    except (codecs.DecodeError, msgspec.ValidationError) as error:
        raise PolicyError(f"failed decoding: {error}") from None
    if (policy.apiVersion, policy.kind) != (VERSION, KIND):
        group, _, version = policy.apiVersion.rpartition("/")
        raise PolicyError(f"unknown group version field {group}/{version}, Kind={policy.kind} in policy")
    for name in unknown(tree):
        log.warning('audit policy contains errors, falling back to lenient decoding: unknown field "%s"', name)
    problems = list(_problems(policy))
    if problems:
        raise PolicyError(wording.aggregate(map(str, problems)))
    if not policy.rules:
        raise PolicyError("loaded illegal policy with 0 rules")
    return policy


def unknown(tree: dict[str, Any]) -> Iterator[str]:
    """The fields that a policy does not have; they are passed over."""
    yield from (name for name in tree if name not in Policy.__struct_fields__)
    for index, rule in enumerate(tree.get("rules") or ()):
        yield from (f"rules[{index}].{name}" for name in rule if name not in Rule.__struct_fields__)


def _problems(policy: Policy) -> Iterator[fields.FieldError]:
    yield from _stages(policy.omitStages, fields.Path("omitStages"))
    for index, rule in enumerate(policy.rules):
        path = fields.Path("rules")[index]
        if not rule.level:
            yield fields.required(path["level"], "")
        elif rule.level not in LEVELS:
            yield fields.not_supported(path["level"], rule.level, LEVELS)
        yield from _paths(rule.nonResourceURLs, path["nonResourceURLs"])
        yield from _resources(rule.resources, path["resources"])
        yield from _stages(rule.omitStages, path["omitStages"])
        if rule.nonResourceURLs and (rule.resources or rule.namespaces):
            words = "rules cannot apply to both regular resources and non-resource URLs"
            yield fields.invalid(path["nonResourceURLs"], rule.nonResourceURLs, words)


def _stages(stages: Sequence[str], path: fields.Path) -> Iterator[fields.FieldError]:
    for index, stage in enumerate(stages):
        if stage not in STAGES:
            yield fields.invalid(path[index], stage, f"allowed stages are {','.join(STAGES)}")


def _paths(paths: Sequence[str], at: fields.Path) -> Iterator[fields.FieldError]:
    for index, path in enumerate(paths):
        if path != ANY and not path.startswith("/"):
            yield fields.invalid(at[index], path, "non-resource URL rules must begin with a '/' character")
        if ANY in path[:-1]:
            words = "non-resource URL wildcards '*' must be the final character of the rule"
            yield fields.invalid(at[index], path, words)


def _resources(listed: Sequence[Resources], path: fields.Path) -> Iterator[fields.FieldError]:
    for one in listed:
        if one.group and one.group != ANY and (wrong := names.dns_subdomain(one.group)):
            yield fields.invalid(path["group"], one.group, ",".join(wrong))
        if one.resourceNames and not one.resources:
            words = "using resourceNames requires at least one resource"
            yield fields.invalid(path["resourceNames"], one.resourceNames, words)


def _matches(rule: Rule, user: requests.User, attributes: requests.Attributes) -> bool:
    if rule.users and user.name not in rule.users:
        return False
    if rule.userGroups and not any(group in rule.userGroups for group in user.groups):
        return False
    if rule.verbs and attributes.verb not in rule.verbs:
        return False
    if rule.namespaces or rule.resources:
        if not attributes.is_resource or (rule.namespaces and attributes.namespace not in rule.namespaces):
            return False
        return not rule.resources or any(_has(one, attributes) for one in rule.resources)
    if rule.nonResourceURLs:
        return not attributes.is_resource and any(_below(path, attributes.path) for path in rule.nonResourceURLs)
    return True


def _below(pattern: str, path: str) -> bool:
    return pattern in (ANY, path) or (pattern.endswith(ANY) and path.startswith(pattern.rstrip(ANY)))


def _has(of: Resources, attributes: requests.Attributes) -> bool:
    if of.group not in (ANY, attributes.group):
        return False
    if not of.resources:
        return True
    if of.resourceNames and attributes.name not in of.resourceNames:
        return False
    resource, subresource = attributes.resource, attributes.subresource
    named = {ANY, f"{resource}/*", f"{resource}/{subresource}" if subresource else resource}
    if subresource:
        named.add(f"*/{subresource}")
    return not named.isdisjoint(of.resources)
