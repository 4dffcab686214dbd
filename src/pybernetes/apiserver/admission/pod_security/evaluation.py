"""Asks the checks of a level, in one of its versions, about a pod."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.admission.pod_security import baseline, levels, restricted, violations


@functools.lru_cache(maxsize=256)
def checks(standard: levels.Standard) -> tuple[violations.Check, ...]:
    """In the order in which what they find is told."""
    if standard.level == levels.PRIVILEGED:
        return ()
    strict = [
        (rule, check)
        for rule in restricted.RULES
        if standard.level == levels.RESTRICTED and (check := rule.at(standard.minor)) is not None
    ]
    overridden = {rule.overrides for rule, _ in strict}
    usual = [
        check
        for rule in baseline.RULES
        if rule.name not in overridden and (check := rule.at(standard.minor)) is not None
    ]
    return (*usual, *(check for _, check in strict))


def evaluate(standard: levels.Standard, meta: meta_v1.ObjectMeta, spec: core_v1.PodSpec) -> list[violations.Violation]:
    found = (check(meta, spec) for check in checks(standard))
    return [violation for violation in found if violation is not None]


def told(found: Iterable[violations.Violation]) -> str:
    """`hostPort (container "c" uses hostPort 80), privileged (...)`."""
    return ", ".join(map(str, found))


def reasons(found: Iterable[violations.Violation]) -> str:
    return ", ".join(violation.reason for violation in found)
