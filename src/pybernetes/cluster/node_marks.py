"""Labels and taints of nodes, as command lines have them."""

from __future__ import annotations

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def labels(text: str) -> dict[str, str]:
    """`key=value,...`"""
    return dict(entry.partition("=")[::2] for entry in filter(None, text.split(",")))


def taints(text: str) -> list[tuple[str, str, str]]:
    """`key=value:Effect,...` as (key, value, effect); raises ValueError."""
    found = []
    for entry in filter(None, text.split(",")):
        body, _, effect = entry.rpartition(":")
        if effect not in EFFECTS:
            raise ValueError(f"{entry!r} is not of the form KEY[=VALUE]:EFFECT")
        key, _, value = body.partition("=")
        found.append((key, value, effect))
    return found
