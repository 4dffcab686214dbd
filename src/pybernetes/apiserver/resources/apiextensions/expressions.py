"""The expressions in a schema, before they are accepted: that they compile, and what they could cost.

What a rule costs counts as often as there can be values that it is asked of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pybernetes.api import fields
from pybernetes.api.cel import costs, declarations
from pybernetes.apiserver.extensions.custom import rules

Errors = list[fields.FieldError]
Tree = Mapping[str, Any]

MAX_RULE_COST = 10_000_000
MAX_SCHEMA_COST = 100_000_000
_KEYWORD = "x-kubernetes-validations"


class _Place(NamedTuple):
    """`times` is how many values there can be, None without a bound; `lost` the node that loses track of old values."""

    root: bool
    times: int | None
    lost: fields.Path | None


def validate(tree: Tree, path: fields.Path) -> Errors:
    """Errors of the rules of one version's schema, which is known to be well-formed."""
    walk = _Walk()
    walk.node(tree, tree, path, _Place(True, 1, None))
    if walk.total > MAX_SCHEMA_COST:
        words = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        dearest = sorted(walk.costs, key=lambda cost: -cost[0])[:4]
        walk.problems += [fields.forbidden(at, words) for cost, at in dearest if cost > MAX_SCHEMA_COST // 100]
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        walk.problems.append(fields.forbidden(path, _over(what, walk.total, MAX_SCHEMA_COST)))
    return walk.problems


class _Walk:
    def __init__(self) -> None:
        self.problems: Errors = []
        self.costs: list[tuple[int, fields.Path]] = []

    @property
    def total(self) -> int:
        return sum(cost for cost, _ in self.costs)

    def node(self, asked: Tree, tree: Tree, path: fields.Path, place: _Place) -> None:
        """`asked` is what rules stand in, `tree` the schema that says what is there."""
        declared = declarations.of(tree, root=place.root) if asked.get(_KEYWORD) else None
        if declared is not None:
            for index, rule in enumerate(rules.compiled(asked, declared)):
                self._rule(rule, declared, path[_KEYWORD][index], place)
        for at, inner in enumerate(asked.get("allOf", ())):
            self.node(inner, tree, path["allOf"][at], place)
        below = tree.get("properties", {})
        for name, inner in asked.get("properties", {}).items():
            if name in below:
                self.node(inner, below[name], path["properties"].key(name), place._replace(root=False))
        items = asked.get("items")
        if isinstance(items, Mapping) and isinstance(tree.get("items"), Mapping):
            keyed = tree.get("x-kubernetes-list-type") == "map"
            inside = _Place(
                False, _product(place.times, tree.get("maxItems")), place.lost if keyed else place.lost or path
            )
            self.node(items, tree["items"], path["items"], inside)
        more = asked.get("additionalProperties")
        if isinstance(more, Mapping) and isinstance(tree.get("additionalProperties"), Mapping):
            inside = _Place(False, _product(place.times, tree.get("maxProperties")), place.lost)
            self.node(more, tree["additionalProperties"], path["additionalProperties"], inside)

    def _rule(self, rule: rules.Rule, declared: declarations.Declaration, path: fields.Path, place: _Place) -> None:
        if rule.program is not None:
            times = place.times
            if times is None:
                # Without bounds above, as many as fit into a request.
                times = declarations.MAX_REQUEST_BYTES // (declared.least + 1)
            self._cost("estimated rule cost", min(rule.program.worst * times, costs.WORST), path["rule"])
        if rule.error:
            self.problems.append(fields.invalid(path["rule"], dict(rule.tree), rule.error))
        if rule.message_error:
            self.problems.append(fields.invalid(path["messageExpression"], dict(rule.tree), rule.message_error))
        elif rule.message is not None:
            self._cost("estimated messageExpression cost", rule.message.worst, path["messageExpression"])
        if rule.uses_old:
            if place.lost is not None:
                words = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {place.lost}"
                self.problems.append(fields.invalid(path["rule"], rule.tree.get("rule"), words))
        elif rule.tree.get("optionalOldSelf") is not None:
            words = "may not be set if oldSelf is not used in rule"
            self.problems.append(fields.invalid(path["optionalOldSelf"], rule.tree["optionalOldSelf"], words))

    def _cost(self, what: str, cost: int, path: fields.Path) -> None:
        self.costs.append((cost, path))
        if cost > MAX_RULE_COST:
            self.problems.append(fields.forbidden(path, _over(what, cost, MAX_RULE_COST)))


def _product(times: int | None, limit: Any) -> int | None:
    return None if times is None or limit is None else times * max(int(limit), 0)


def _over(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    # Never by a factor of 1.0.
    near = f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    shown = "more than 100x" if factor > 100 else near
    return (
        f"{what} exceeds budget by factor of {shown} (try simplifying the rule, or adding maxItems, maxProperties, and "
        "maxLength where arrays, maps, and strings are declared)"
    )
