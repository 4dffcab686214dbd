"""FlowSchemas: which requests go to which priority level, and how they are told apart there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pybernetes.api import fields, names
from pybernetes.api.types import flowcontrol_v1
from pybernetes.apiserver.resources import cells, checks, kind
from pybernetes.apiserver.resources.flowcontrol import mandatory

_SPEC = fields.Path("spec")
_MAX_PRECEDENCE = 10000
_DEFAULT_PRECEDENCE = 1000
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
# Field of a subject -> the kind that has it.
_SUBJECTS = {"serviceAccount": "ServiceAccount", "user": "User", "group": "Group"}


def default(schema: flowcontrol_v1.FlowSchema) -> None:
    schema.spec.matchingPrecedence = schema.spec.matchingPrecedence or _DEFAULT_PRECEDENCE


def validate(schema: flowcontrol_v1.FlowSchema) -> checks.Errors:
    spec, name = schema.spec, schema.metadata.name
    problems = _precedence(spec.matchingPrecedence, name, _SPEC["matchingPrecedence"])
    method = spec.distinguisherMethod
    if method is not None and method.type not in ("ByNamespace", "ByUser"):
        path = _SPEC["distinguisherMethod"]["type"]
        problems.append(fields.not_supported(path, method, ("ByNamespace", "ByUser")))
    level = _SPEC["priorityLevelConfiguration"]["name"]
    if spec.priorityLevelConfiguration.name:
        problems += checks.named(spec.priorityLevelConfiguration.name, names.dns_subdomain, level)
    else:
        problems.append(fields.required(level, "must reference a priority level"))
    for index, rule in enumerate(spec.rules):
        problems += _rule(rule, _SPEC["rules"][index])
    if name in mandatory.MANDATORY:
        fixed = next(s for s in mandatory.flow_schemas() if s.metadata.name == name)
        if not checks.same(spec, fixed.spec):
            problems.append(fields.invalid(_SPEC, spec, f"spec of '{name}' must equal the fixed value"))
    return problems


def _precedence(value: int, name: str, path: fields.Path) -> checks.Errors:
    if value <= 0:
        return [fields.invalid(path, value, "must be a positive value")]
    if value > _MAX_PRECEDENCE:
        return [fields.invalid(path, value, f"must not be greater than {_MAX_PRECEDENCE}")]
    if value == 1 and name != "exempt":
        return [fields.invalid(path, value, "only the schema named 'exempt' may have matchingPrecedence 1")]
    return []


def _rule(rule: flowcontrol_v1.PolicyRulesWithSubjects, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if not rule.subjects:
        problems.append(fields.required(path["subjects"], "subjects must contain at least one value"))
    for index, subject in enumerate(rule.subjects):
        problems += _subject(subject, path["subjects"][index])
    if not rule.resourceRules and not rule.nonResourceRules:
        words = "at least one of resourceRules and nonResourceRules has to be non-empty"
        problems.append(fields.required(path, words))
    for index, resource_rule in enumerate(rule.resourceRules):
        problems += _resource_rule(resource_rule, path["resourceRules"][index])
    for index, path_rule in enumerate(rule.nonResourceRules):
        problems += _path_rule(path_rule, path["nonResourceRules"][index])
    return problems


def _subject(subject: flowcontrol_v1.Subject, path: fields.Path) -> checks.Errors:
    if subject.kind not in _SUBJECTS.values():
        return [fields.not_supported(path["kind"], subject.kind, tuple(_SUBJECTS.values()))]
    problems: checks.Errors = []
    for name, owner in _SUBJECTS.items():
        value, at = getattr(subject, name), path[name]
        if owner != subject.kind:
            if value is not None:
                words = f"{name} is forbidden when subject kind is not '{owner}'"
                problems.append(fields.forbidden(at, words))
        elif value is None:
            problems.append(fields.required(at, f"{name} is required when subject kind is '{owner}'"))
        else:
            problems += _named_subject(value, at)
    return problems


def _named_subject(subject: Any, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if not subject.name:
        problems.append(fields.required(path["name"]))
    if not isinstance(subject, flowcontrol_v1.ServiceAccountSubject):
        return problems
    if subject.name and subject.name != "*":
        problems += checks.named(subject.name, names.dns_subdomain, path["name"])
    if subject.namespace:
        problems += checks.named(subject.namespace, names.dns_label, path["namespace"])
    else:
        problems.append(fields.required(path["namespace"], "must specify namespace for service account"))
    return problems


def _verbs(verbs: list[str], path: fields.Path) -> checks.Errors:
    if not verbs:
        return [fields.required(path, "verbs must contain at least one value")]
    if "*" in verbs:
        return _alone(verbs, "verbs", path)
    if not set(verbs) <= set(_VERBS):
        return [fields.not_supported(path, verbs, _VERBS)]
    return []


def _alone(values: list[str], what: str, path: fields.Path) -> checks.Errors:
    """A wildcard stands by itself."""
    if "*" in values and len(values) > 1:
        return [fields.invalid(path, values, f"if '*' is present, must not specify other {what}")]
    return []


def _resource_rule(rule: flowcontrol_v1.ResourcePolicyRule, path: fields.Path) -> checks.Errors:
    problems = _verbs(rule.verbs, path["verbs"])
    for name, what in (("apiGroups", "api group"), ("resources", "resource")):
        values = getattr(rule, name)
        if not values:
            problems.append(fields.required(path[name], f"resource rules must supply at least one {what}"))
        problems += _alone(values, what + "s", path[name])
    at = path["namespaces"]
    if not rule.namespaces and not rule.clusterScope:
        words = "resource rules that are not cluster scoped must supply at least one namespace"
        problems.append(fields.required(at, words))
    elif "*" in rule.namespaces:
        problems += _alone(rule.namespaces, "namespaces", at)
    else:
        for index, namespace in enumerate(rule.namespaces):
            for text in names.dns_label(namespace):
                words = f"each member of this list must be '*' or a DNS-1123 label; {text}"
                problems.append(fields.invalid(at[index], namespace, words))
    return problems


def _path_rule(rule: flowcontrol_v1.NonResourcePolicyRule, path: fields.Path) -> checks.Errors:
    problems = _verbs(rule.verbs, path["verbs"])
    at = path["nonResourceURLs"]
    if not rule.nonResourceURLs:
        problems.append(fields.required(at, "nonResourceURLs must contain at least one value"))
    elif "*" in rule.nonResourceURLs:
        problems += _alone(rule.nonResourceURLs, "non-resource URLs", at)
    else:
        for index, url in enumerate(rule.nonResourceURLs):
            words = _wrong_with(url)
            if words:
                problems.append(fields.invalid(at[index], url, words))
    return problems


def _wrong_with(url: str) -> str:
    if not url:
        return "must not be empty"
    if not url.startswith("/"):
        return "must start with slash"
    if " " in url:
        return "must not contain white-space"
    if "//" in url:
        return "must not contain double slash"
    wildcards = url.count("*")
    return "wildcard can only do suffix matching" if wildcards > 1 or (wildcards and url[-2:] != "/*") else ""


def validate_status(new: Any, _: Any) -> checks.Errors:
    """Conditions of both kinds of this group: each has a type of its own."""
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, condition in enumerate(new.status.conditions):
        path = fields.Path("status")["conditions"][index]["type"]
        if condition.type in seen:
            problems.append(fields.duplicate(path, condition.type))
        seen.add(condition.type)
        if not condition.type:
            problems.append(fields.required(path))
    return problems


def row(schema: flowcontrol_v1.FlowSchema, now: float) -> Sequence[kind.Cell]:
    spec = schema.spec
    dangling = next((c.status for c in schema.status.conditions if c.type == "Dangling"), "?")
    return (
        schema.metadata.name,
        spec.priorityLevelConfiguration.name,
        spec.matchingPrecedence,
        spec.distinguisherMethod.type if spec.distinguisherMethod is not None else "<none>",
        cells.age(schema.metadata, now),
        dangling,
    )


KIND: kind.Kind[flowcontrol_v1.FlowSchema] = kind.Kind(
    resource=kind.resource("flowcontrol.apiserver.k8s.io", "v1", "flowschemas"),
    default=default,
    validate=validate,
    validate_status=validate_status,
    has_status=True,
    spec_of=lambda schema: schema.spec,
    columns=(
        kind.NAME,
        kind.Column("PriorityLevel"),
        kind.Column("MatchingPrecedence"),
        kind.Column("DistinguisherMethod"),
        kind.AGE,
        kind.Column("MissingPL"),
    ),
    row=row,
)
