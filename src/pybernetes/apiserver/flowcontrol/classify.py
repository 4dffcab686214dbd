"""Which FlowSchema a request matches: pure, by upstream's rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pybernetes.api.types import flowcontrol_v1
from pybernetes.apiserver import request as requests

ANY = "*"
_ACCOUNT = "system:serviceaccount:"


def ordered(schemas: Iterable[flowcontrol_v1.FlowSchema]) -> list[flowcontrol_v1.FlowSchema]:
    """As they are tried: lowest precedence first, then by name."""
    return sorted(schemas, key=lambda schema: (schema.spec.matchingPrecedence, schema.metadata.name))


def matches(schema: flowcontrol_v1.FlowSchema, user: requests.User, attributes: requests.Attributes) -> bool:
    return any(_rule(rule, user, attributes) for rule in schema.spec.rules)


def distinguisher(schema: flowcontrol_v1.FlowSchema, user: requests.User, attributes: requests.Attributes) -> str:
    """What tells the flows of a schema apart."""
    method = schema.spec.distinguisherMethod
    if method is None:
        return ""
    return user.name if method.type == "ByUser" else attributes.namespace


def _rule(rule: flowcontrol_v1.PolicyRulesWithSubjects, user: requests.User, attributes: requests.Attributes) -> bool:
    if not any(_subject(subject, user) for subject in rule.subjects):
        return False
    if attributes.is_resource:
        return any(_resource_rule(one, attributes) for one in rule.resourceRules)
    return any(_path_rule(one, attributes) for one in rule.nonResourceRules)


def _subject(subject: flowcontrol_v1.Subject, user: requests.User) -> bool:
    if subject.kind == "User" and subject.user is not None:
        return subject.user.name in (ANY, user.name)
    if subject.kind == "Group" and subject.group is not None:
        return subject.group.name == ANY or subject.group.name in user.groups
    if subject.kind == "ServiceAccount" and subject.serviceAccount is not None:
        account = subject.serviceAccount
        if account.name == ANY:
            return user.name.startswith(f"{_ACCOUNT}{account.namespace}:")
        return user.name == f"{_ACCOUNT}{account.namespace}:{account.name}"
    return False


def _resource_rule(rule: flowcontrol_v1.ResourcePolicyRule, attributes: requests.Attributes) -> bool:
    name = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
    if not (
        _has(rule.verbs, attributes.verb) and _has(rule.resources, name) and _has(rule.apiGroups, attributes.group)
    ):
        return False
    return _has(rule.namespaces, attributes.namespace) if attributes.namespace else bool(rule.clusterScope)


def _path_rule(rule: flowcontrol_v1.NonResourcePolicyRule, attributes: requests.Attributes) -> bool:
    return _has(rule.verbs, attributes.verb) and any(_below(path, attributes.path) for path in rule.nonResourceURLs)


def _has(values: Sequence[str], value: str) -> bool:
    return ANY in values or value in values


def _below(pattern: str, path: str) -> bool:
    if pattern in (ANY, path):
        return True
    return path.startswith(pattern.removesuffix(ANY).removesuffix("/") + "/")
