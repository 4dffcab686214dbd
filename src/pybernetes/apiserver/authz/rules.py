"""Matching of RBAC policy rules, pure."""

from __future__ import annotations

from collections.abc import Iterator

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
        return path.startswith(pattern.rstrip("*"))
    return pattern == path


USER, USER_GROUP, SERVICE_ACCOUNT = "User", "Group", "ServiceAccount"


def subject_key(subject: rbac_v1.Subject, namespace: str) -> str:
    """What whoever is the subject of a binding in the namespace has among his `user_keys`; "" for nobody.

    Service accounts default to the binding's namespace.
    """
    if subject.kind == SERVICE_ACCOUNT:
        home = subject.namespace or namespace
        return f"{USER}:system:serviceaccount:{home}:{subject.name}" if home else ""
    return f"{subject.kind}:{subject.name}" if subject.kind in (USER, USER_GROUP) else ""


def user_keys(user: requests.User) -> Iterator[str]:
    yield f"{USER}:{user.name}"
    for group in user.groups:
        yield f"{USER_GROUP}:{group}"
