"""Levels and versions of the pod security standards, and what the labels of a namespace say about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pybernetes.api import fields

PRIVILEGED, BASELINE, RESTRICTED = "privileged", "baseline", "restricted"
LEVELS = (PRIVILEGED, BASELINE, RESTRICTED)
# Later than any version there is.
LATEST = 1 << 16
_VERSION = re.compile(r"v1\.([0-9]|[1-9][0-9]*)").fullmatch
_LABELS = fields.Path("metadata")["labels"]
PREFIX = "pod-security.kubernetes.io/"


class Standard(NamedTuple):
    """A level in a version, which is the minor one of Kubernetes."""

    level: str = PRIVILEGED
    minor: int = LATEST

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.minor == LATEST else f'v1.{self.minor}'}"


class Policy(NamedTuple):
    enforce: Standard = Standard()
    audit: Standard = Standard()
    warn: Standard = Standard()

    @property
    def is_privileged(self) -> bool:
        return all(standard.level == PRIVILEGED for standard in self)

    def means(self, other: Policy) -> bool:
        """Whether the two come to the same."""
        return all(
            left == right or left.level == right.level == PRIVILEGED for left, right in zip(self, other, strict=True)
        )


def compare(left: str, right: str) -> int:
    """Above zero if the left level is the stricter one."""
    return LEVELS.index(left) - LEVELS.index(right)


def of(labels: Mapping[str, str], defaults: Policy) -> tuple[Policy, list[fields.FieldError]]:
    """What the labels ask for, and what is wrong with them: then the strictest is enforced, and none told of."""
    if not labels:
        return defaults, []
    problems: list[fields.FieldError] = []
    found: dict[str, Standard] = {}
    for mode in Policy._fields:
        standard: Standard = getattr(defaults, mode)
        level, version = labels.get(PREFIX + mode), labels.get(f"{PREFIX}{mode}-version")
        if level is not None:
            is_known = level in LEVELS
            if not is_known:
                problems.append(_invalid(PREFIX + mode, level, f"must be one of {', '.join(LEVELS)}"))
            wrong = RESTRICTED if mode == "enforce" else PRIVILEGED
            standard = standard._replace(level=level if is_known else wrong)
        if version is not None:
            minor = minor_of(version)
            if minor is None:
                problems.append(_invalid(f"{PREFIX}{mode}-version", version, 'must be "latest" or "v1.x"'))
            standard = standard._replace(minor=LATEST if minor is None else minor)
        found[mode] = standard
    enforce, warn = found["enforce"], found["warn"]
    stated = labels.get(f"{PREFIX}enforce") in LEVELS and f"{PREFIX}warn" not in labels
    if stated and compare(enforce.level, warn.level) > 0:
        # Controllers do not get to see refusals of their pods: who writes their templates is warned.
        minor = warn.minor if f"{PREFIX}warn-version" in labels else enforce.minor
        found["warn"] = Standard(enforce.level, minor)
    return Policy(**found), problems


def minor_of(text: str) -> int | None:
    """None for what is no version."""
    if text == "latest":
        return LATEST
    match = _VERSION(text)
    return int(match[1]) if match is not None else None


def _invalid(label: str, value: Any, why: str) -> fields.FieldError:
    return fields.invalid(_LABELS.key(label), value, why)
