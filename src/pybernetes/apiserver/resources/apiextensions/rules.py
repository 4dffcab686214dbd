"""The written form of `x-kubernetes-validations`; what the expressions mean is for those who compile them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pybernetes.api import fields

REASONS = ("FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid", "FieldValueDuplicate")
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\['((?:[^'\\]|\\.)*)'\]|\[\"((?:[^\"\\]|\\.)*)\"\]|\[(\d+)\]")


def validate(tree: Mapping[str, Any], path: fields.Path) -> list[fields.FieldError]:
    problems: list[fields.FieldError] = []
    for index, rule in enumerate(tree.get("x-kubernetes-validations", ())):
        at = path["x-kubernetes-validations"][index]
        text, message = rule.get("rule", ""), rule.get("message", "")
        if not text.strip():
            problems.append(fields.required(at["rule"], "rule is not specified"))
        elif message and not message.strip():
            problems.append(fields.invalid(at["message"], message, "must be non-empty if specified"))
        elif _breaks(message.strip()):
            problems.append(fields.invalid(at["message"], message, "must not contain line breaks"))
        elif _breaks(text.strip()) and not message.strip():
            words = "message must be specified if rule contains line breaks"
            problems.append(fields.required(at["message"], words))
        expression = rule.get("messageExpression", "")
        if expression and not expression.strip():
            words = "messageExpression must be non-empty if specified"
            problems.append(fields.required(at["messageExpression"], words))
        reason = rule.get("reason")
        if reason is not None and reason not in REASONS:
            problems.append(fields.not_supported(at["reason"], reason, REASONS))
        problems += _field_path(rule.get("fieldPath", ""), tree, at["fieldPath"])
    return problems


def _breaks(text: str) -> bool:
    return "\n" in text or "\r" in text


def _field_path(text: str, tree: Mapping[str, Any], at: fields.Path) -> list[fields.FieldError]:
    if not text:
        return []
    problems = []
    if not text.strip():
        problems.append(fields.invalid(at, text, "must be non-empty if specified"))
    if _breaks(text):
        problems.append(fields.invalid(at, text, "must not contain line breaks"))
    if not _leads_somewhere(text, tree):
        problems.append(fields.invalid(at, text, "must be a valid path"))
    return problems


def _leads_somewhere(text: str, tree: Mapping[str, Any]) -> bool:
    place = 0
    while place < len(text):
        match = _STEP.match(text, place)
        if match is None:
            return False
        place = match.end()
        name = match[1] or match[2] or match[3]
        if name is None:
            below = tree.get("items")
        else:
            below = tree.get("properties", {}).get(name, tree.get("additionalProperties"))
        if not isinstance(below, Mapping):
            return False
        tree = below
    return True
