"""Whether some rules grant all that others do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pybernetes.api import wording
from pybernetes.api.types import rbac_v1

Rule = rbac_v1.PolicyRule


def missing(held: Sequence[Rule], wanted: Sequence[Rule]) -> list[str]:
    """What of the wanted rules is not held, as upstream shows it, sorted; empty where all is."""
    uncovered = [part for rule in wanted for part in _parts(rule) if not any(_covers(owner, part) for owner in held)]
    return sorted({_shown(rule) for rule in _compact(uncovered)})


def _parts(rule: Rule) -> Iterator[Rule]:
    """Rules of one verb for one thing each that come to the same."""
    for group in rule.apiGroups:
        for resource in rule.resources:
            for verb in rule.verbs:
                for names in [[name] for name in rule.resourceNames] or [[]]:
                    yield Rule(apiGroups=[group], resources=[resource], verbs=[verb], resourceNames=names)
    for url in rule.nonResourceURLs:
        for verb in rule.verbs:
            yield Rule(nonResourceURLs=[url], verbs=[verb])


def _covers(owner: Rule, part: Rule) -> bool:
    return (
        _has_all(owner.verbs, part.verbs)
        and _has_all(owner.apiGroups, part.apiGroups)
        and all(_covers_resource(owner.resources, one) for one in part.resources)
        and all(any(_covers_url(one, url) for one in owner.nonResourceURLs) for url in part.nonResourceURLs)
        and _covers_names(owner.resourceNames, part.resourceNames)
    )


def _has_all(owned: Sequence[str], wanted: Sequence[str]) -> bool:
    return "*" in owned or all(one in owned for one in wanted)


def _covers_resource(owned: Sequence[str], resource: str) -> bool:
    if "*" in owned or resource in owned:
        return True
    _, slash, subresource = resource.partition("/")
    return bool(slash) and f"*/{subresource}" in owned


def _covers_url(owned: str, url: str) -> bool:
    return owned == url or (owned.endswith("*") and url.startswith(owned.rstrip("*")))


def _covers_names(owned: Sequence[str], wanted: Sequence[str]) -> bool:
    return not owned or (bool(wanted) and all(name in owned for name in wanted))


def _compact(parts: Sequence[Rule]) -> list[Rule]:
    """Parts about the same resource, which differ by their verb alone, put together."""
    made: list[Rule] = []
    known: dict[tuple[str, str, tuple[str, ...]], Rule] = {}
    for part in parts:
        if part.nonResourceURLs:
            made.append(part)
            continue
        key = (part.apiGroups[0], part.resources[0], tuple(part.resourceNames))
        if key in known:
            # A part is nobody else's.
            known[key].verbs.extend(part.verbs)
        else:
            known[key] = part
            made.append(part)
    return made


def _shown(rule: Rule) -> str:
    named = (
        ("APIGroups", rule.apiGroups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.nonResourceURLs),
        ("ResourceNames", rule.resourceNames),
        ("Verbs", rule.verbs),
    )
    return "{" + ", ".join(f"{name}:{wording.quoted(values)}" for name, values in named if values) + "}"
