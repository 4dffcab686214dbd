"""Validation of the conditions that kinds of later years share (meta/v1 Condition)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pybernetes.api import fields, names
from pybernetes.api.types import meta_v1
from pybernetes.apiserver.resources import checks

_STATUSES = ("False", "True", "Unknown")
_MAX_REASON = 1024
_MAX_MESSAGE = 32 * 1024
_REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_is_reason = re.compile(_REASON).fullmatch
_REASON_WORDS = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or "
    f"'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '{_REASON}')"
)


def validate(listed: Sequence[meta_v1.Condition], path: fields.Path) -> checks.Errors:
    """Each type once, and each condition complete."""
    problems: checks.Errors = []
    seen: set[str] = set()
    for index, condition in enumerate(listed):
        at = path[index]
        if condition.type in seen:
            problems.append(fields.duplicate(at["type"], condition.type))
        seen.add(condition.type)
        problems += checks.named(condition.type, names.label_key, at["type"])
        problems += checks.one_of(condition.status, _STATUSES, at["status"])
        if condition.observedGeneration < 0:
            words = "must be greater than or equal to zero"
            problems.append(fields.invalid(at["observedGeneration"], condition.observedGeneration, words))
        if condition.lastTransitionTime is None:
            problems.append(fields.required(at["lastTransitionTime"]))
        problems += _texts(condition, at)
    return problems


def _texts(condition: meta_v1.Condition, path: fields.Path) -> checks.Errors:
    problems: checks.Errors = []
    if not condition.reason:
        problems.append(fields.required(path["reason"]))
    elif not _is_reason(condition.reason):
        problems.append(fields.invalid(path["reason"], condition.reason, _REASON_WORDS))
    if len(condition.reason.encode()) > _MAX_REASON:
        problems.append(fields.too_long(path["reason"], _MAX_REASON))
    if len(condition.message.encode()) > _MAX_MESSAGE:
        problems.append(fields.too_long(path["message"], _MAX_MESSAGE))
    return problems
