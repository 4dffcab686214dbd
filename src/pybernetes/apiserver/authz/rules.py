"""Matching of RBAC policy rules, pure."""

from __future__ import annotations

from pybernetes.api.types import rbac_v1
from pybernetes.apiserver import request as requests


def allows(rule: rbac_v1.PolicyRule, attributes: requests.Attributes) -> bool:
    """Whether the rule covers the request."""
    if attributes.verb not in rule.verbs and "*" not in rule.verbs:
        return False
    if not attributes.is_resource:
        return any(_path_matches(pattern, attributes.path) for pattern in rule.nonResourceURLs)
    return (
        (attributes.group in rule.apiGroups or "*" in rule.apiGroups)
        and _resource_matches(rule.resources, attributes)
        and (not rule.resourceNames or attributes.name in rule.resourceNames)
    )


def _resource_matches(resources: list[str], attributes: requests.Attributes) -> bool:
    if "*" in resources:
        return True
    if not attributes.subresource:
        return attributes.resource in resources
    return f"{attributes.resource}/{attributes.subresource}" in resources or f"*/{attributes.subresource}" in resources


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return pattern == path


def subject_is(subject: rbac_v1.Subject, user: requests.User, namespace: str) -> bool:
    """Whether a binding's subject is the user; service accounts default to the binding's namespace."""
    if subject.kind == "User":
        return subject.name == user.name
    if subject.kind == "Group":
        return subject.name in user.groups
    if subject.kind == "ServiceAccount":
        home = subject.namespace or namespace
        return bool(home) and user.name == f"system:serviceaccount:{home}:{subject.name}"
    return False
