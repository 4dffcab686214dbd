"""Why an object is as it is: the chain from its writes back over work items to the change that began it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pybernetes.testing import calls

# Chains that go on longer than that go in a circle.
DEPTH = 30


@dataclass(frozen=True, slots=True)
class Why:
    """One write and what it came from; the last of `origins` is where it began. `str()` is for people."""

    write: calls.Call
    origins: Sequence[calls.Call] = field(default=())

    def __str__(self) -> str:
        lines = [_told(self.write)]
        lines += [f"{'  ' * depth}because of {_told(call)}" for depth, call in enumerate(self.origins, 1)]
        return "\n".join(lines)


def explain(log: Iterable[calls.Call], *, group: str, resource: str, namespace: str, name: str) -> list[Why]:
    """Every write of the object, oldest first, each with its chain."""
    by_revision: dict[int, calls.Call] = {}
    own: list[calls.Call] = []
    for call in log:
        if not call.is_write or not call.revision or call.code >= 400:
            continue
        by_revision[call.revision] = call
        if (call.group, call.resource, call.namespace, call.name) == (group, resource, namespace, name):
            own.append(call)
    return [Why(call, tuple(_origins(call, by_revision))) for call in own]


def _origins(call: calls.Call, by_revision: dict[int, calls.Call]) -> Iterator[calls.Call]:
    for _ in range(DEPTH):
        before = None if call.cause is None else by_revision.get(_revision(call.cause.obj))
        if before is None or before is call:
            return
        yield before
        call = before


def _revision(obj: object) -> int:
    """Of an object as informers hand it out: typed, or a tree."""
    meta = obj.get("metadata", {}) if isinstance(obj, dict) else getattr(obj, "metadata", None)
    text = meta.get("resourceVersion", "") if isinstance(meta, dict) else getattr(meta, "resourceVersion", "")
    return int(text) if isinstance(text, str) and text.isdigit() else 0


def _told(call: calls.Call) -> str:
    where = f"{call.namespace}/{call.name}" if call.namespace else call.name
    what = f"{call.resource}/{call.subresource}" if call.subresource else call.resource
    actor = call.agent or call.user
    if call.cause is not None:
        item = f", working on {call.cause.item}" if call.cause.item else ""
        event = f": {call.cause.event}" if call.cause.event else ""
        actor = f"{call.agent} ({call.cause.actor}{item}{event})"
    return f"{call.verb} {what} {where} at revision {call.revision} by {actor}"
