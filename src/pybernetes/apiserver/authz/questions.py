"""What access reviews ask: their validation, and the user and attributes they come to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pybernetes.api import fields, names, selectors, wording
from pybernetes.api.types import authorization_v1, meta_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.authz import authorizer
from pybernetes.apiserver.resources import checks

_RESOURCE = fields.Path("spec.resourceAttributes")
_VALUES_WANTED = "must be specified when `operator` is 'In' or 'NotIn'"
_VALUES_UNWANTED = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
_BOTH = "may not specified at the same time as requirements"
_LABELS = {
    "In": selectors.IN,
    "NotIn": selectors.NOT_IN,
    "Exists": selectors.EXISTS,
    "DoesNotExist": selectors.DOES_NOT_EXIST,
}
Review = (
    authorization_v1.SubjectAccessReview
    | authorization_v1.SelfSubjectAccessReview
    | authorization_v1.LocalSubjectAccessReview
)
Requirement = meta_v1.FieldSelectorRequirement | meta_v1.LabelSelectorRequirement


def validate(review: Review) -> checks.Errors:
    spec = review.spec
    path = fields.Path("spec")
    problems: checks.Errors = []
    if spec.resourceAttributes is not None and spec.nonResourceAttributes is not None:
        words = "cannot be specified in combination with resourceAttributes"
        problems.append(fields.invalid(path["nonResourceAttributes"], spec.nonResourceAttributes, words))
    if spec.resourceAttributes is None and spec.nonResourceAttributes is None:
        words = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        problems.append(fields.invalid(path["resourceAttributes"], None, words))
    if isinstance(spec, authorization_v1.SubjectAccessReviewSpec) and not spec.user and not spec.groups:
        problems.append(fields.invalid(path["user"], spec.user, "at least one of user or group must be specified"))
    if spec.resourceAttributes is not None:
        problems += _fields(spec.resourceAttributes.fieldSelector, _RESOURCE["fieldSelector"])
        problems += _labels(spec.resourceAttributes.labelSelector, _RESOURCE["labelSelector"])
    local = isinstance(review, authorization_v1.LocalSubjectAccessReview)
    kept = meta_v1.ObjectMeta(
        managedFields=review.metadata.managedFields, namespace=review.metadata.namespace if local else ""
    )
    if review.metadata != kept:
        words = "must be empty except for namespace" if local else "must be empty"
        problems.append(fields.invalid(fields.Path("metadata"), review.metadata, words))
    if isinstance(review, authorization_v1.LocalSubjectAccessReview):
        problems += _local(review.spec, review.metadata.namespace)
    return problems


def _local(spec: authorization_v1.SubjectAccessReviewSpec, namespace: str) -> checks.Errors:
    problems: checks.Errors = []
    asked = spec.resourceAttributes
    if asked is not None and asked.namespace != namespace:
        problems.append(fields.invalid(_RESOURCE["namespace"], asked.namespace, "must match metadata.namespace"))
    if spec.nonResourceAttributes is not None:
        path = fields.Path("spec.nonResourceAttributes")
        problems.append(fields.invalid(path, spec.nonResourceAttributes, "disallowed on this kind of request"))
    return problems


def _selector(raw: str, requirements: Sequence[Requirement], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if raw and requirements:
        problems.append(fields.invalid(path["rawSelector"], raw, _BOTH))
    if not raw and not requirements:
        words = f"when {path} is specified, requirements or rawSelector is required"
        problems.append(fields.required(path["requirements"], words))
    return problems


def _values(requirement: Requirement, path: fields.Path) -> checks.Errors:
    """Operators that are not known here may be to others."""
    if requirement.operator in ("In", "NotIn") and not requirement.values:
        return [fields.required(path["values"], _VALUES_WANTED)]
    if requirement.operator in ("Exists", "DoesNotExist") and requirement.values:
        return [fields.forbidden(path["values"], _VALUES_UNWANTED)]
    return []


def _fields(asked: authorization_v1.FieldSelectorAttributes | None, path: fields.Path) -> checks.Errors:
    if asked is None:
        return []
    problems = _selector(asked.rawSelector, asked.requirements, path)
    for index, requirement in enumerate(asked.requirements):
        at = path["requirements"][index]
        if not requirement.key:
            problems.append(fields.required(at["key"], "must be specified"))
        problems += _values(requirement, at)
    return problems


def _labels(asked: authorization_v1.LabelSelectorAttributes | None, path: fields.Path) -> checks.Errors:
    if asked is None:
        return []
    problems = _selector(asked.rawSelector, asked.requirements, path)
    for index, requirement in enumerate(asked.requirements):
        at = path["requirements"][index]
        problems += _values(requirement, at) + checks.named(requirement.key, names.label_key, at["key"])
        for place, text in enumerate(requirement.values):
            problems += checks.named(text, names.label_value, at["values"][place])
    return problems


def user(spec: authorization_v1.SubjectAccessReviewSpec) -> requests.User:
    extra = tuple(sorted((key, tuple(values)) for key, values in spec.extra.items()))
    return requests.User(spec.user, spec.uid, tuple(spec.groups), extra)


def attributes(spec: Any) -> requests.Attributes:
    """Of a valid specification."""
    resource, path = spec.resourceAttributes, spec.nonResourceAttributes
    if resource is None:
        return requests.Attributes(path.verb, path.path)
    return requests.Attributes(
        resource.verb,
        "",
        resource.group,
        resource.version or "*",
        resource.namespace,
        resource.resource,
        resource.subresource,
        resource.name,
        selectors=_selectors(resource),
    )


def _selectors(asked: authorization_v1.ResourceAttributes) -> requests.Selectors | None:
    by_fields, by_labels = asked.fieldSelector, asked.labelSelector
    found = requests.narrowing(
        by_fields.rawSelector if by_fields is not None else "", by_labels.rawSelector if by_labels is not None else ""
    )
    found = found or requests.Selectors()
    if by_fields is not None and by_fields.requirements:
        terms, problem = _field_terms(by_fields.requirements)
        found = found._replace(fields=terms, fields_error=problem)
    if by_labels is not None and by_labels.requirements:
        requirements, problem = _label_terms(by_labels.requirements)
        found = found._replace(labels=requirements, labels_error=problem)
    return found if any(found) else None


def _field_terms(
    requirements: Sequence[meta_v1.FieldSelectorRequirement],
) -> tuple[tuple[selectors.FieldTerm, ...], str]:
    terms = []
    problems = []
    for one in requirements:
        if len(one.values) > 1:
            problems.append("fieldSelectors do not yet support multiple values")
        elif one.operator in ("In", "NotIn"):
            terms.append(selectors.FieldTerm(one.key, one.values[0], one.operator == "In"))
        elif one.operator in ("Exists", "DoesNotExist"):
            problems.append(f"fieldSelectors do not yet support {one.operator}")
        else:
            problems.append(f'"{one.operator}" is not a valid field selector operator')
    return tuple(terms), wording.aggregate(problems)


def _label_terms(
    requirements: Sequence[meta_v1.LabelSelectorRequirement],
) -> tuple[tuple[selectors.Requirement, ...], str]:
    terms = []
    problems = []
    for one in requirements:
        operator = _LABELS.get(one.operator)
        if operator is None:
            problems.append(f'"{one.operator}" is not a valid label selector operator')
            continue
        try:
            terms.append(selectors.requirement(one.key, operator, one.values))
        except selectors.SelectorError as error:
            problems.append(str(error))
    return tuple(terms), wording.aggregate(problems)


def status(decision: authorizer.Decision, asked: requests.Attributes) -> authorization_v1.SubjectAccessReviewStatus:
    narrowed = asked.selectors or requests.Selectors()
    problems = [decision.error] if decision.error else []
    if narrowed.fields_error:
        problems.append(_ignored("fieldSelector", partly=bool(narrowed.fields)))
    if narrowed.labels_error:
        problems.append(_ignored("labelSelector", partly=bool(narrowed.labels)))
    return authorization_v1.SubjectAccessReviewStatus(
        allowed=decision.allowed,
        denied=decision.denied,
        reason=decision.reason,
        evaluationError="; ".join(problems),
    )


def _ignored(name: str, *, partly: bool) -> str:
    return f"spec.resourceAttributes.{name} {'partially ' if partly else ''}ignored due to parse error"
