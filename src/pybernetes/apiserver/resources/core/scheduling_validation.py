"""Validation of what a pod says about where it may run: affinity, tolerations, spreading."""

from __future__ import annotations

from pybernetes.api import fields, names
from pybernetes.api.types import core_v1
from pybernetes.apiserver.resources import checks

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_RANGE = "must be in the range 1-100"


def node_selector(selector: core_v1.NodeSelector, path: fields.Path) -> checks.Errors:
    """Of required node affinity, and of persistent volumes."""
    at = path["nodeSelectorTerms"]
    if not selector.nodeSelectorTerms:
        return [fields.required(at, "must have at least one node selector term")]
    problems: checks.Errors = []
    for index, term in enumerate(selector.nodeSelectorTerms):
        problems += _term(term, at[index], values=True)
    return problems


def _term(term: core_v1.NodeSelectorTerm, path: fields.Path, *, values: bool) -> checks.Errors:
    problems: checks.Errors = []
    for index, requirement in enumerate(term.matchExpressions):
        problems += _label_requirement(requirement, path["matchExpressions"][index], values=values)
    for index, requirement in enumerate(term.matchFields):
        problems += _field_requirement(requirement, path["matchFields"][index])
    return problems


def _label_requirement(
    requirement: core_v1.NodeSelectorRequirement, path: fields.Path, *, values: bool
) -> checks.Errors:
    problems: checks.Errors = []
    if requirement.operator in ("In", "NotIn"):
        if not requirement.values:
            words = "must be specified when `operator` is 'In' or 'NotIn'"
            problems.append(fields.required(path["values"], words))
    elif requirement.operator in ("Exists", "DoesNotExist"):
        if requirement.values:
            words = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            problems.append(fields.forbidden(path["values"], words))
    elif requirement.operator in ("Gt", "Lt"):
        if len(requirement.values) != 1:
            words = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            problems.append(fields.required(path["values"], words))
    else:
        problems.append(fields.invalid(path["operator"], requirement.operator, "not a valid selector operator"))
    problems += checks.named(requirement.key, names.label_key, path["key"])
    if values:
        for index, value in enumerate(requirement.values):
            problems += checks.named(value, names.label_value, path["values"][index])
    return problems


def _field_requirement(requirement: core_v1.NodeSelectorRequirement, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if requirement.operator not in ("In", "NotIn"):
        problems.append(fields.invalid(path["operator"], requirement.operator, "not a valid selector operator"))
    elif len(requirement.values) != 1:
        words = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        problems.append(fields.required(path["values"], words))
    if requirement.key != "metadata.name":
        problems.append(fields.invalid(path["key"], requirement.key, "not a valid field selector key"))
    else:
        for index, value in enumerate(requirement.values):
            problems += checks.named(value, names.dns_subdomain, path["values"][index])
    return problems


def affinity(value: core_v1.Affinity, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    required, preferred = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
    node = value.nodeAffinity
    if node is not None:
        at = path["nodeAffinity"]
        if node.requiredDuringSchedulingIgnoredDuringExecution is not None:
            problems += node_selector(node.requiredDuringSchedulingIgnoredDuringExecution, at[required])
        for index, term in enumerate(node.preferredDuringSchedulingIgnoredDuringExecution):
            if not 1 <= term.weight <= 100:
                problems.append(fields.invalid(at[preferred][index]["weight"], term.weight, _RANGE))
            problems += _term(term.preference, at[preferred][index]["preference"], values=False)
    for name in ("podAffinity", "podAntiAffinity"):
        pods = getattr(value, name)
        if pods is None:
            continue
        at = path[name]
        for index, pod_term in enumerate(pods.requiredDuringSchedulingIgnoredDuringExecution):
            problems += _pod_term(pod_term, at[required][index])
        for index, weighted in enumerate(pods.preferredDuringSchedulingIgnoredDuringExecution):
            if not 1 <= weighted.weight <= 100:
                problems.append(fields.invalid(at[preferred][index]["weight"], weighted.weight, _RANGE))
            problems += _pod_term(weighted.podAffinityTerm, at[preferred][index]["podAffinityTerm"])
    return problems


def _pod_term(term: core_v1.PodAffinityTerm, path: fields.Path) -> checks.Errors:
    problems = checks.selector(term.labelSelector, path["labelSelector"])
    problems += checks.selector(term.namespaceSelector, path["namespaceSelector"])
    for namespace in term.namespaces:
        problems += checks.named(namespace, names.dns_label, path["namespace"])
    problems += _label_keys(term, path)
    if not term.topologyKey:
        problems.append(fields.required(path["topologyKey"], "can not be empty"))
    return problems + checks.named(term.topologyKey, names.label_key, path["topologyKey"])


def _label_keys(term: core_v1.PodAffinityTerm | core_v1.TopologySpreadConstraint, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    mismatching = term.mismatchLabelKeys if isinstance(term, core_v1.PodAffinityTerm) else []
    for name, keys in (("matchLabelKeys", term.matchLabelKeys), ("mismatchLabelKeys", mismatching)):
        if keys and term.labelSelector is None:
            problems.append(fields.forbidden(path[name], "must not be specified when labelSelector is not set"))
        for index, key in enumerate(keys):
            problems += checks.named(key, names.label_key, path[name][index])
            if name == "matchLabelKeys" and key in mismatching:
                words = "exists in both matchLabelKeys and mismatchLabelKeys"
                problems.append(fields.invalid(path[name][index], key, words))
    return problems


def tolerations(listed: list[core_v1.Toleration], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    for index, toleration in enumerate(listed):
        at = path[index]
        operator, value = toleration.operator, toleration.value
        if toleration.key:
            problems += checks.named(toleration.key, names.label_key, at["key"])
        elif operator != "Exists":
            words = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            problems.append(fields.invalid(at["operator"], operator, words))
        if toleration.tolerationSeconds is not None and toleration.effect != "NoExecute":
            words = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            problems.append(fields.invalid(at["effect"], toleration.effect, words))
        if operator in ("Equal", ""):
            if wrong := names.label_value(value):
                problems.append(fields.invalid(at["operator"], value, ";".join(wrong)))
        elif operator == "Exists":
            if value:
                words = "value must be empty when `operator` is 'Exists'"
                problems.append(fields.invalid(at["operator"], value, words))
        elif operator in ("Lt", "Gt"):
            supported = ("Equal", "Exists", "Lt", "Gt")
            problems.append(fields.not_supported(at["operator"], operator, supported))
        else:
            problems.append(fields.not_supported(at["operator"], operator, ("Equal", "Exists")))
        if toleration.effect:
            problems += checks.one_of(toleration.effect, _EFFECTS, at["effect"])
    return problems


def taints(listed: list[core_v1.Taint], path: fields.Path) -> checks.Errors:
    """Of a node."""
    problems: checks.Errors = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(listed):
        at = path[index]
        problems += checks.named(taint.key, names.label_key, at["key"])
        if wrong := names.label_value(taint.value):
            problems.append(fields.invalid(at["value"], taint.value, ";".join(wrong)))
        problems += checks.required_one_of(taint.effect, _EFFECTS, at["effect"])
        if (taint.key, taint.effect) in seen:
            shown = f"key={taint.key}, effect={taint.effect}"
            problem = fields.duplicate(at, shown)
            words = "taints must be unique by key and effect pair"
            problems.append(problem._replace(message=f"{problem.message}: {words}"))
        seen.add((taint.key, taint.effect))
    return problems


def spread_constraints(listed: list[core_v1.TopologySpreadConstraint], path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    for index, constraint in enumerate(listed):
        at = path[index]
        if constraint.maxSkew <= 0:
            problems.append(fields.invalid(at["maxSkew"], constraint.maxSkew, "must be greater than zero"))
        if not constraint.topologyKey:
            problems.append(fields.required(at["topologyKey"], "can not be empty"))
        action = constraint.whenUnsatisfiable
        problems += checks.one_of(action, ("DoNotSchedule", "ScheduleAnyway"), at["whenUnsatisfiable"])
        if any((c.topologyKey, c.whenUnsatisfiable) == (constraint.topologyKey, action) for c in listed[index + 1 :]):
            key = f"{{{constraint.topologyKey}, {action}}}"
            problems.append(fields.duplicate(at["{topologyKey, whenUnsatisfiable}"], key))
        if constraint.minDomains is not None:
            if constraint.minDomains <= 0:
                problems.append(fields.invalid(at["minDomains"], constraint.minDomains, "must be greater than zero"))
            if action != "DoNotSchedule":
                words = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                problems.append(fields.invalid(at["minDomains"], constraint.minDomains, words))
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            policy = getattr(constraint, name)
            if policy is not None:
                problems += checks.one_of(policy, ("Honor", "Ignore"), at[name])
        problems += _label_keys(constraint, at)
        problems += checks.selector(constraint.labelSelector, at["labelSelector"])
    return problems
