"""Which requests a webhook or a policy is about: rules, exemptions, and the labels of namespace and object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pybernetes.api import errors, selectors
from pybernetes.api.types import admissionregistration_v1, meta_v1
from pybernetes.apiserver.admission import plugin, versions
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.apiserver.storage import collection as collections

Rule = admissionregistration_v1.RuleWithOperations | admissionregistration_v1.NamedRuleWithOperations

_GROUP = "admissionregistration.k8s.io"
_OWN_KINDS = (
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
)


def is_exempt(attributes: plugin.Attributes) -> bool:
    """What decides about writes is itself not decided about: a wrong one could never be removed."""
    resource = attributes.kind.resource
    return resource.group == _GROUP and resource.kind in _OWN_KINDS


def by_rule(rule: Rule, attributes: plugin.Attributes, kind: kinds.Kind[Any]) -> bool:
    """Whether a rule is about the request, were it made of this version of the resource."""
    resource = kind.resource
    return (
        _has(rule.operations, attributes.operation)
        and _has(rule.apiGroups, resource.group)
        and _has(rule.apiVersions, resource.version)
        and _in_scope(rule.scope, attributes)
        and any(_is_resource(text, resource.name, attributes.subresource) for text in rule.resources)
    )


def _has(listed: Sequence[str], wanted: str) -> bool:
    return wanted in listed or "*" in listed


def _in_scope(scope: str | None, attributes: plugin.Attributes) -> bool:
    if scope in (None, "*"):
        return True
    # A namespace is no object in a namespace.
    return (scope == "Namespaced") == bool(attributes.namespace)


def _is_resource(text: str, name: str, subresource: str) -> bool:
    resource, _, part = text.partition("/")
    return resource in ("*", name) and part in ("*", subresource)


def by_name(rule: Rule, name: str) -> bool:
    """Rules of policies may name the objects that they are about."""
    names = rule.resourceNames if isinstance(rule, admissionregistration_v1.NamedRuleWithOperations) else ()
    return not names or name in names


class Selection:
    """What webhooks and policies have in common. `chosen` is the version in which the request is looked at."""

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        excluded: Sequence[Rule] = (),
        policy: str | None,
        namespaces: meta_v1.LabelSelector | None,
        objects: meta_v1.LabelSelector | None,
    ) -> None:
        self._rules = rules
        self._excluded = excluded
        self._is_exact = policy == "Exact"
        self._namespaces = selectors.from_object(namespaces) if _asks(namespaces) else None
        self._objects = selectors.from_object(objects) if _asks(objects) else None

    def chosen(
        self, attributes: plugin.Attributes, known: versions.Versions, namespaces: collections.Collection
    ) -> kinds.Kind[Any] | None:
        """None where it is not about the request. Raises StatusError NotFound where the namespace is not there."""
        found = self._by_rules(self._rules, attributes, known)
        if found is None or self._by_rules(self._excluded, attributes, known) is not None:
            return None
        if self._objects is not None and not any(
            self._objects.matches(labels) for labels in _labels(attributes.obj, attributes.old)
        ):
            return None
        if self._namespaces is None or not self._in_namespaces(self._namespaces, attributes, namespaces):
            return found if self._namespaces is None else None
        return found

    def _by_rules(
        self, rules: Sequence[Rule], attributes: plugin.Attributes, known: versions.Versions
    ) -> kinds.Kind[Any] | None:
        asked = [rule for rule in rules if by_name(rule, attributes.name)]
        if any(by_rule(rule, attributes, attributes.kind) for rule in asked):
            return attributes.kind
        if self._is_exact:
            return None
        others = known.others(attributes.kind)
        return next((one for rule in asked for one in others if by_rule(rule, attributes, one)), None)

    def _in_namespaces(
        self,
        selector: selectors.LabelSelector,
        attributes: plugin.Attributes,
        namespaces: collections.Collection,
    ) -> bool:
        if attributes.resource == "namespaces" and attributes.obj is not None:
            return selector.matches(attributes.obj.metadata.labels)
        name = attributes.own_namespace
        if not name:
            return True
        item = namespaces.get("", name)
        if item is None:
            raise errors.not_found("", "namespaces", name)
        return selector.matches(item.labels())


def _asks(selector: meta_v1.LabelSelector | None) -> bool:
    return selector is not None and bool(selector.matchLabels or selector.matchExpressions)


def _labels(*objects: Any) -> list[dict[str, str]]:
    return [obj.metadata.labels for obj in objects if obj is not None and not isinstance(obj, dict)]
