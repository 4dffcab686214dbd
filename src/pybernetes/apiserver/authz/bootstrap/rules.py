"""Shorthand for policy rules: words separated by blanks; `core` is the group without a name."""

from __future__ import annotations

from pybernetes.api.types import rbac_v1


def rule(verbs: str, groups: str, resources: str, *, names: str = "") -> rbac_v1.PolicyRule:
    """`rule("get list", "core apps", "pods deployments/scale")`."""
    return rbac_v1.PolicyRule(
        verbs=verbs.split(),
        apiGroups=["" if group == "core" else group for group in groups.split()],
        resources=resources.split(),
        resourceNames=names.split(),
    )


def urls(verbs: str, paths: str) -> rbac_v1.PolicyRule:
    """`urls("get", "/livez /livez/*")`."""
    return rbac_v1.PolicyRule(verbs=verbs.split(), nonResourceURLs=paths.split())
