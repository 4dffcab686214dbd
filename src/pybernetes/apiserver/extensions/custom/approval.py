"""The approval that definitions in Kubernetes' own groups have to show."""

from __future__ import annotations

from urllib.parse import urlsplit

from pybernetes.api.types import apiextensions_v1
from pybernetes.apiserver.extensions.custom import names

ANNOTATION = "api-approved.kubernetes.io"
MISSING, INVALID, BYPASSED, APPROVED = (
    "MissingAnnotation",
    "InvalidAnnotation",
    "UnapprovedAnnotation",
    "ApprovedAnnotation",
)
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"


def is_protected(group: str) -> bool:
    """Groups that belong to the community."""
    return any(group == own or group.endswith(f".{own}") for own in ("k8s.io", "kubernetes.io"))


def state(definition: apiextensions_v1.CustomResourceDefinition) -> tuple[str, str]:
    """(reason, message) of the condition; the reason is the state."""
    text = definition.metadata.annotations.get(ANNOTATION, "")
    if not text:
        return MISSING, f'protected groups must have approval annotation "{ANNOTATION}", {_SEE}'
    if text.startswith("unapproved"):
        return BYPASSED, f'not approved: "{text}"'
    try:
        parts = urlsplit(text)
        if parts.scheme and parts.netloc:
            return APPROVED, f"approved in {text}"
    except ValueError:
        pass
    return INVALID, (
        f'protected groups must have approval annotation "{ANNOTATION}" with either a URL or a reason starting with '
        f'"unapproved", {_SEE}'
    )


def condition(
    definition: apiextensions_v1.CustomResourceDefinition,
) -> apiextensions_v1.CustomResourceDefinitionCondition | None:
    """None for groups that need no approval."""
    if not is_protected(definition.spec.group):
        return None
    reason, message = state(definition)
    return names.condition(names.APPROVED, reason == APPROVED, reason, message)
