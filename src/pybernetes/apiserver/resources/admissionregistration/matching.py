"""What the kinds of this group say about the requests they concern: rules, selectors, conditions, parameters."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from pybernetes.api import fields, names
from pybernetes.api.types import admissionregistration_v1, meta_v1
from pybernetes.apiserver.resources import checks
from pybernetes.apiserver.resources.admissionregistration import expressions

FAILURE_POLICIES = ("Fail", "Ignore")
REINVOCATION_POLICIES = ("IfNeeded", "Never")
_MATCH_POLICIES = ("Equivalent", "Exact")
_SCOPES = ("*", "Cluster", "Namespaced")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_MUTABLE_OPERATIONS = ("*", "CONNECT", "CREATE", "UPDATE")
_MAX_CONDITIONS = 64
_IDENTIFIER = re.compile("[_a-zA-Z][_a-zA-Z0-9]*").fullmatch
_RESERVED = frozenset(
    {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"}
    | {"let", "loop", "package", "namespace", "return", "var", "void", "while"}
)


Rule = admissionregistration_v1.RuleWithOperations | admissionregistration_v1.NamedRuleWithOperations


def default_rules(rules: Sequence[Rule]) -> None:
    for rule in rules:
        rule.scope = "*" if rule.scope is None else rule.scope


def default_selection(obj: Any) -> None:
    """Of whatever has a matchPolicy and two selectors."""
    obj.matchPolicy = obj.matchPolicy if obj.matchPolicy is not None else "Equivalent"
    for name in ("namespaceSelector", "objectSelector"):
        if getattr(obj, name) is None:
            setattr(obj, name, meta_v1.LabelSelector())


def default_resources(resources: admissionregistration_v1.MatchResources | None) -> None:
    if resources is not None:
        default_selection(resources)
        default_rules(resources.resourceRules)
        default_rules(resources.excludeResourceRules)


def optional_one_of(value: str | None, allowed: Sequence[str], path: fields.Path) -> checks.Errors:
    return [] if value is None else checks.one_of(value, allowed, path)


def _alone(values: Sequence[str], wildcard: str, words: str, path: fields.Path) -> checks.Errors:
    if len(values) > 1 and wildcard in values:
        return [fields.invalid(path, list(values), f"if '{wildcard}' is present, must not specify other {words}")]
    return []


def rule(value: Rule, path: fields.Path) -> checks.Errors:
    """Operations, groups, versions, resources and scope of one rule."""
    problems: checks.Errors = []
    if not value.operations:
        problems.append(fields.required(path["operations"]))
    problems += _alone(value.operations, "*", "operations", path["operations"])
    for index, operation in enumerate(value.operations):
        problems += checks.one_of(operation, _OPERATIONS, path["operations"][index])
    for name, words in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        listed = getattr(value, name)
        if not listed:
            problems.append(fields.required(path[name]))
        problems += _alone(listed, "*", words, path[name])
    for index, version in enumerate(value.apiVersions):
        if not version:
            problems.append(fields.required(path["apiVersions"][index]))
    problems += _resources(value.resources, path["resources"])
    return problems + optional_one_of(value.scope, _SCOPES, path["scope"])


def _resources(resources: list[str], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = [] if resources else [fields.required(path)]
    whole_resources: set[str] = set()
    whole_subresources: set[str] = set()
    for index, resource in enumerate(resources):
        if not resource:
            problems.append(fields.required(path[index]))
        name, slash, part = resource.partition("/")
        if not slash:
            continue
        if name in whole_resources:
            words = f"if '{name}/*' is present, must not specify {resource}"
            problems.append(fields.invalid(path[index], resource, words))
        if part in whole_subresources:
            words = f"if '*/{part}' is present, must not specify {resource}"
            problems.append(fields.invalid(path[index], resource, words))
        if part == "*":
            whole_resources.add(name)
        if name == "*":
            whole_subresources.add(part)
    problems += _alone(resources, "*/*", "resources", path)
    plain = [resource for resource in resources if resource and "/" not in resource]
    if "*" in plain and plain[-1] != "*":
        words = "if '*' is present, must not specify other resources without subresources"
        problems.append(fields.invalid(path, resources, words))
    return problems


def match_resources(
    resources: admissionregistration_v1.MatchResources | None, path: fields.Path, *, mutates: bool = False
) -> checks.Errors:
    """Of a policy or a binding; what is deleted cannot be mutated."""
    if resources is None:
        return []
    problems: checks.Errors = []
    if resources.matchPolicy is None:
        problems.append(fields.required(path["matchPolicy"]))
    problems += optional_one_of(resources.matchPolicy, _MATCH_POLICIES, path["matchPolicy"])
    for name in ("namespaceSelector", "objectSelector"):
        selector = getattr(resources, name)
        if selector is None:
            problems.append(fields.required(path[name]))
        problems += checks.selector(selector, path[name])
    for name in ("resourceRules", "excludeResourceRules"):
        for index, named in enumerate(getattr(resources, name)):
            problems += _resource_names(named.resourceNames, path[name][index]["resourceNames"])
            problems += rule(named, path[name][index])
    if mutates:
        at = path["resourceRules"]["operations"]
        for named in resources.resourceRules:
            for operation in named.operations:
                problems += checks.one_of(operation, _MUTABLE_OPERATIONS, at)
    return problems


def _resource_names(values: list[str], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    for index, value in enumerate(values):
        problems += checks.named(value, names.path_segment, path[index])
        if value in values[:index]:
            problems.append(fields.duplicate(path[index], value))
    return problems


def webhook_selection(hook: Any, path: fields.Path) -> checks.Errors:
    """Rules, policies and selectors of a webhook."""
    problems: checks.Errors = []
    for index, value in enumerate(hook.rules):
        problems += rule(value, path["rules"][index])
    problems += optional_one_of(hook.failurePolicy, FAILURE_POLICIES, path["failurePolicy"])
    problems += optional_one_of(hook.matchPolicy, _MATCH_POLICIES, path["matchPolicy"])
    for name in ("namespaceSelector", "objectSelector"):
        problems += checks.selector(getattr(hook, name), path[name])
    return problems


def conditions(
    listed: list[admissionregistration_v1.MatchCondition], path: fields.Path, *, params: bool = False
) -> checks.Errors:
    """Named expressions, every name once; `params`: they may ask for parameters."""
    problems: checks.Errors = []
    if len(listed) > _MAX_CONDITIONS:
        problems.append(fields.too_many(path, len(listed), _MAX_CONDITIONS))
    seen: set[str] = set()
    for index, condition in enumerate(listed):
        at = path[index]
        if not condition.expression.strip():
            problems.append(fields.required(at["expression"]))
        else:
            compile_ = functools.partial(expressions.compiler(params=params).compile, returns=("bool",))
            problems += expressions.problems(compile_, condition.expression, at["expression"])
        if not condition.name:
            problems.append(fields.required(at["name"]))
            continue
        problems += checks.named(condition.name, names.qualified_name, at["name"])
        if condition.name in seen:
            problems.append(fields.duplicate(at["name"], condition.name))
        seen.add(condition.name)
    return problems


def variables(
    listed: list[admissionregistration_v1.Variable], path: fields.Path, compiler: Callable[[], Any]
) -> checks.Errors:
    """`compiler` gives what compiles the object's expressions, which is told of each variable in turn."""
    problems: checks.Errors = []
    for index, variable in enumerate(listed):
        at = path[index]
        if not variable.name.strip():
            problems.append(fields.required(at["name"], "name is not specified"))
        elif not _IDENTIFIER(variable.name) or variable.name in _RESERVED:
            problems.append(fields.invalid(at["name"], variable.name, "must be a valid CEL identifier"))
        if not variable.expression.strip():
            problems.append(fields.required(at["expression"], "expression is not specified"))
        else:
            compile_ = functools.partial(compiler().variable, variable.name)
            problems += expressions.problems(compile_, variable.expression, at["expression"])
    return problems


def param_kind(value: admissionregistration_v1.ParamKind | None, path: fields.Path) -> checks.Errors:
    """The kind of a policy's parameters."""
    if value is None:
        return []
    problems = _api_version(value.apiVersion, path["apiVersion"])
    if not value.kind:
        problems.append(fields.required(path["kind"]))
    else:
        wrong = names.dns1035_label(value.kind.lower())
        if wrong:
            words = "may have mixed case, but should otherwise match: " + ",".join(wrong)
            problems.append(fields.invalid(path["kind"], value.kind, words))
    return problems


def _api_version(value: str, path: fields.Path) -> checks.Errors:
    if not value:
        return [fields.required(path)]
    if value.count("/") > 1:
        return [fields.invalid(path, value, f"unexpected GroupVersion string: {value}")]
    group, _, version = value.rpartition("/")
    problems: checks.Errors = []
    if group and (wrong := names.dns_subdomain(group)):
        problems.append(fields.invalid(path, group, ",".join(wrong)))
    if not version:
        problems.append(fields.invalid(path, value, "version must be specified"))
    elif wrong := names.dns1035_label(version):
        problems.append(fields.invalid(path, version, ",".join(wrong)))
    return problems


def param_ref(reference: admissionregistration_v1.ParamRef | None, path: fields.Path) -> checks.Errors:
    """A binding's parameters: by name or by selector."""
    if reference is None:
        return []
    problems: checks.Errors = []
    both = bool(reference.name) and reference.selector is not None
    words = "name and selector are mutually exclusive"
    if reference.name:
        problems += checks.named(reference.name, names.path_segment, path["name"])
        if both:
            problems.append(fields.forbidden(path["name"], words))
    if reference.selector is not None:
        problems += checks.selector(reference.selector, path["selector"])
        if both:
            problems.append(fields.forbidden(path["selector"], words))
    if not reference.name and reference.selector is None:
        problems.append(fields.required(path, "one of name or selector must be specified"))
    action = reference.parameterNotFoundAction or ""
    return problems + checks.required_one_of(action, ("Deny", "Allow"), path["parameterNotFoundAction"])


def policy_name(name: str, path: fields.Path) -> checks.Errors:
    return checks.named(name, names.dns_subdomain, path) if name else [fields.required(path)]


def param_cell(reference: admissionregistration_v1.ParamRef | None) -> str:
    """As the tables of bindings show it."""
    if reference is None:
        return "<unset>"
    if reference.name:
        return f"{reference.namespace or '*'}/{reference.name}"
    return "<unset>" if reference.selector is None else _selector_text(reference.selector)


def _selector_text(selector: meta_v1.LabelSelector) -> str:
    """In the form in which Go prints the object."""
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.matchLabels.items()))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{e.key},Operator:{e.operator},Values:[{' '.join(e.values)}],}},"
        for e in selector.matchExpressions
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )


def kind_cell(value: admissionregistration_v1.ParamKind | None) -> str:
    return "<unset>" if value is None else f"{value.apiVersion}/{value.kind}"
