"""How many seats each priority level has: what it is entitled to, and what others lend it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pybernetes.api.types import flowcontrol_v1

# A level always has some demand, or there would be nothing to share by.
LEAST_TARGET = 0.001
STEPS = 60


class Limits(NamedTuple):
    """Seats: what a level has when nobody lends, the least it keeps, and the most it borrows up to."""

    nominal: int
    least: int
    most: int


class Claim(NamedTuple):
    """A level's bounds and what it would like, in seats."""

    least: float
    most: float
    target: float


def limits(levels: Mapping[str, flowcontrol_v1.PriorityLevelConfiguration], total: int) -> dict[str, Limits]:
    """Of each level, out of the server's total."""
    shares = {name: _share(level) for name, level in levels.items()}
    whole = sum(share for share, _, _ in shares.values())
    found = {}
    for name, (share, lendable, borrowing) in shares.items():
        nominal = math.ceil(total * share / whole) if whole else 0
        least = nominal - _percent(nominal, lendable)
        most = total if borrowing is None else nominal + _percent(nominal, borrowing)
        found[name] = Limits(nominal, least, most)
    return found


def _percent(seats: int, percent: int) -> int:
    return math.floor(seats * percent / 100 + 0.5)


def _share(level: flowcontrol_v1.PriorityLevelConfiguration) -> tuple[int, int, int | None]:
    """(nominal shares, percent that is lent, percent that is borrowed at most)."""
    exempt, limited = level.spec.exempt, level.spec.limited
    if level.spec.type == "Exempt":
        return (exempt.nominalConcurrencyShares or 0, exempt.lendablePercent or 0, None) if exempt else (0, 0, None)
    if limited is None:
        return 30, 0, None
    share = 30 if limited.nominalConcurrencyShares is None else limited.nominalConcurrencyShares
    return share, limited.lendablePercent or 0, limited.borrowingLimitPercent


def divide(total: int, claims: Sequence[Claim]) -> list[float]:
    """As much of the total as can be, in one proportion to all targets, but that nobody leaves its bounds."""
    if sum(claim.least for claim in claims) >= total:
        return [claim.least for claim in claims]
    if sum(claim.most for claim in claims) <= total:
        return [claim.most for claim in claims]
    targets = [max(claim.target, LEAST_TARGET) for claim in claims]

    def given(proportion: float) -> list[float]:
        wanted = (proportion * target for target in targets)
        return [min(max(want, claim.least), claim.most) for want, claim in zip(wanted, claims, strict=True)]

    low, high = 0.0, max(claim.most / target for claim, target in zip(claims, targets, strict=True))
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(given(middle)) < total else (low, middle)
    return given(high)


def adjusted(
    bounds: Mapping[str, Limits], exempt: Mapping[str, int], demand: Mapping[str, tuple[int, float]]
) -> dict[str, int]:
    """Current limits of the levels that have one.

    `exempt` is what the exempt levels have used at most lately, `demand` of the others (most of late, smoothed).
    """
    total = sum(found.nominal for found in bounds.values())
    names = [name for name in bounds if name not in exempt]
    keeps = {name: max(bounds[name].least, min(bounds[name].nominal, demand[name][0])) for name in names}
    left = total - sum(max(bounds[name].least, used) for name, used in exempt.items())
    least, kept = sum(bounds[name].least for name in names), sum(keeps.values())
    if left <= least:
        return {name: bounds[name].least for name in names}
    if left <= kept:
        part = (left - least) / (kept - least)
        return {name: bounds[name].least + round((keeps[name] - bounds[name].least) * part) for name in names}
    claims = [Claim(keeps[name], bounds[name].most, max(keeps[name], demand[name][1])) for name in names]
    return {name: round(seats) for name, seats in zip(names, divide(total, claims), strict=True)}
