"""What a check finds wrong with a pod, and the words that the checks have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pybernetes.api.types import core_v1, meta_v1


class Violation(NamedTuple):
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


# The metadata and the spec of a pod, or of a template for pods.
Check = Callable[[meta_v1.ObjectMeta, core_v1.PodSpec], Violation | None]


class Rule(NamedTuple):
    """A check under its name. `versions` are the minor versions since when it is what; `overrides` names a check of
    the level below that it takes the place of."""

    name: str
    versions: Sequence[tuple[int, Check]]
    overrides: str = ""

    def at(self, minor: int) -> Check | None:
        """What it was, or is, in that version."""
        return next((check for since, check in reversed(self.versions) if since <= minor), None)


def containers(spec: core_v1.PodSpec) -> Iterator[Any]:
    """Of all sorts, in upstream's order."""
    yield from spec.initContainers
    yield from spec.containers
    yield from spec.ephemeralContainers


def contexts(spec: core_v1.PodSpec) -> Iterator[tuple[str, Any]]:
    """The security contexts that there are, with the names of their containers; that of the pod is the first, as ""."""
    if spec.securityContext is not None:
        yield "", spec.securityContext
    for container in containers(spec):
        if container.securityContext is not None:
            yield container.name, container.securityContext


def setters(names: Iterable[str]) -> str:
    """`pod and containers "a", "b"`, from names of containers and "" for the pod."""
    listed = list(names)
    found = ["pod"] if "" in listed else []
    inside = [name for name in listed if name]
    if inside:
        found.append(counted("container", inside))
    return " and ".join(found)


def counted(word: str, names: Sequence[str]) -> str:
    return f"{plural(word, names)} {quoted(names)}"


def plural(word: str, of: Sequence[Any]) -> str:
    return word if len(of) == 1 else f"{word}s"


def uses(of: Sequence[Any]) -> str:
    return "uses" if len(of) == 1 else "use"


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def is_windows(spec: core_v1.PodSpec) -> bool:
    return spec.os is not None and spec.os.name == "windows"
