"""What a plugin is: pure functions over columns of nodes.

For plugin authors:

- `prepare(shape, nodes)` works out, once per shape and state of the nodes, what the other two need; None means that
  the plugin has nothing to say about such pods.
- `reject(state, nodes, rows)` answers, for those rows, what is wrong with each: masks of equal length with their
  reasons. A node is out as soon as one mask says so; later plugins are then not heard about it.
- `score(state, nodes, rows)` answers higher numbers for better rows; `scale` says how they become 0..100.
- `local` is True where placing a pod changes the answers for its own node only: the results for all other rows are
  then kept for the next pod of the shape.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple, Protocol

from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes

MAX = 100


class Scale(enum.Enum):
    """How raw scores become 0..MAX."""

    NONE = "they are that already"
    MOST = "the highest is MAX"
    LEAST = "the highest is 0"


class Rejection(NamedTuple):
    """The rows (as in `rows`) that are out for this reason. `final`: removing pods would not help."""

    reason: str
    mask: tables.Bools
    final: tables.Bools | bool


class Plugin(Protocol):
    """One plugin; see above."""

    name: str
    weight: int
    local: bool
    scale: Scale

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None: ...

    def reject(self, state: Any, nodes: tables.Nodes, rows: Any) -> list[Rejection]: ...

    def score(self, state: Any, nodes: tables.Nodes, rows: Any) -> tables.Ints | None: ...


class Base:
    """Defaults: no opinion."""

    name = ""
    weight = 0
    local = True
    scale = Scale.NONE

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        return None

    def reject(self, state: Any, nodes: tables.Nodes, rows: Any) -> list[Rejection]:
        return []

    def score(self, state: Any, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        return None
