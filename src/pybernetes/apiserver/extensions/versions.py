"""The order of versions: which one clients are to prefer."""

from __future__ import annotations

from typing import Any


def priority(version: str) -> tuple[Any, ...]:
    """Orders versions as clients are to prefer them: v2 > v1 > v1beta1 > v1alpha1 > anything else, which is by name."""
    stage, major, minor = _parsed(version)
    if stage < 0:
        # Other names come in the order of the alphabet, the first one being the greatest.
        return (stage, (*(-ord(char) for char in version), 1), 0)
    return (stage, major, minor)


def _parsed(version: str) -> tuple[int, int, int]:
    digits = version[1:]
    for stage, word in ((1, "beta"), (0, "alpha")):
        major, found, minor = digits.partition(word)
        if found and _is_number(major) and _is_number(minor):
            return stage, int(major), int(minor)
    return (2, int(digits), 0) if version[:1] == "v" and _is_number(digits) else (-1, 0, 0)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and text[0] != "0"
