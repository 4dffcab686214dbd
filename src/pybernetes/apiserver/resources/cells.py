"""What stands in the cells of `kubectl get`: ages, containers, selectors, in the forms that people know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api import selectors, times
from pybernetes.api.types import core_v1, meta_v1
from pybernetes.apiserver.resources import kind

CONTAINERS = kind.Column("Containers", priority=1)
IMAGES = kind.Column("Images", priority=1)
SELECTOR = kind.Column("Selector", priority=1)


def duration(seconds: float) -> str:
    """`45s`, `3m20s`, `5h`, `12d`: precise while young, coarse when old."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 120:
        return f"{whole}s"
    minutes, hours = whole // 60, whole // 3600
    if minutes < 10:
        return _pair(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 24 * 8:
        return _pair(days, "d", hours % 24, "h")
    if hours < 24 * 365 * 2:
        return f"{days}d"
    if hours < 24 * 365 * 8:
        return _pair(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def since(timestamp: str | None, now: float) -> str:
    """The age of a timestamp."""
    return duration(now - times.parse(timestamp)) if timestamp else "<unknown>"


def age(meta: meta_v1.ObjectMeta, now: float) -> str:
    return since(meta.creationTimestamp, now)


def containers(listed: Sequence[core_v1.Container]) -> tuple[str, str]:
    """(names, images), each separated by commas."""
    return ",".join(container.name for container in listed), ",".join(container.image for container in listed)


def labels(values: Mapping[str, str]) -> str:
    """A map of labels in the text form of a selector."""
    return ",".join(f"{key}={values[key]}" for key in sorted(values)) or "<none>"


def selector(value: meta_v1.LabelSelector | None) -> str:
    """A selector in its text form."""
    try:
        return str(selectors.from_object(value)) or "<none>"
    except selectors.SelectorError:
        return "<error>"


def boolean(value: bool | None) -> str:
    """As columns of type string show it."""
    return "<unset>" if value is None else str(value)
