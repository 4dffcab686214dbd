"""What a plugin is: pure functions over columns of nodes.

For plugin authors (docs/scheduler.md has examples):

- `before_queuing` holds a pod back from being tried at all, by raising `Rejected` (PreEnqueue).
- `order` says by what waiting pods are sorted (QueueSort); one plugin does that, for all profiles.
- `prepare(shape, nodes)` works out, once per shape and state of the nodes' own facts, what the others need; None means
  that the plugin has nothing to say about such pods. It raises `Rejected` where no node at all can do.
- `reject(state, nodes, rows)` answers, for those rows, what is wrong with each: masks of equal length with their
  reasons. A node is out as soon as one mask says so; later plugins are then not heard about it.
- `elsewhere(state, nodes)` answers the rows that need not be looked at, as the pod names others; only when it comes
  to telling why a pod fits nowhere.
- `score(state, nodes, rows)` answers higher numbers for better rows; `scale` says how they become 0..100.
- `rank(state, nodes, feasible)` is for plugins that scale in their own way: 0..100 for every row, `feasible` being
  the mask of those that are in the race.
- `sees` says what `reject` and `score` look at. Where that is the node alone they are asked once; where it is room,
  answers are kept for rows that have the same; else they are asked again about every row that gets or loses a pod.
- `late` is True where an answer is costly: such a plugin is asked only about rows that all others let pass.
- `wide` is True where placing a pod may change the answers for other nodes than its own: such a plugin is asked again
  about all rows after every placement, others about that row only.
- `helped_by` lists the changes in the cluster that can undo a rejection by this plugin; `helps` may look closer.
- `after_filter` may change something so that the pod fits later, where it fits nowhere now (PostFilter).
- `reserve` keeps what the pod needs on the chosen row, `unreserve` gives it back (Reserve).
- `permit` allows the placement, refuses it by raising `Rejected`, or has it wait (Permit).
- `before_binding` does what must be done first (PreBind), `bind` binds unless it leaves that to the next plugin (Bind),
  `after_binding` hears of the success (PostBind).

`prepare` and whatever looks at rows may raise `Failed`: the pod is then tried again after its back-off.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple, Protocol

import msgspec
import numpy as np

from pybernetes.api.types import core_v1, resource_v1
from pybernetes.scheduler import changes
from pybernetes.scheduler import nodes as tables
from pybernetes.scheduler import shape as shapes
from pybernetes.scheduler import waiting as waits

MAX = 100


class Scale(enum.Enum):
    """How raw scores become 0..MAX."""

    NONE = "they are that already"
    MOST = "the highest is MAX"
    LEAST = "the highest is 0"


class Sees(enum.Enum):
    """What answers about a row depend on, besides the shape."""

    NODE = "the node's own facts"
    ROOM = "those and how much is allocatable and requested"
    PODS = "those and what pods are there"


class Rejection(NamedTuple):
    """The rows (as in `rows`) that are out for this reason. `final`: removing pods would not help."""

    reason: str
    mask: tables.Bools
    final: tables.Bools | bool


class Rejected(Exception):
    """No node can do, for this reason. `final`: removing pods would not help either."""

    def __init__(self, reason: str, *, final: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.final = reason, final


class Failed(Exception):
    """The plugin cannot answer: an error of the pod's surroundings, not of the nodes."""


class BindingFailed(Failed):
    """What a plugin had to do before the binding cannot be done; the pod is to be placed anew."""


class Unasked(enum.Enum):
    """Stands for the state of a plugin that was not asked, as an earlier one had ruled out all nodes."""

    UNASKED = enum.auto()


class Room(NamedTuple):
    """What came of `after_filter`: words for the pod's condition, and the node that it is nominated for.

    `nominated` is None where that stays as it is, empty where it is taken back. `made`: nobody else need try.
    """

    words: str = ""
    nominated: str | None = None
    made: bool = False


class Desk(Protocol):
    """What plugins may write and wait for before a pod is bound."""

    async def bind(self, pod: core_v1.Pod, node: str) -> None:
        """Tell the API server which node a pod has."""
        ...

    async def claim_volume(self, volume: core_v1.PersistentVolume, claim: core_v1.PersistentVolumeClaim) -> None: ...

    async def select_node(self, claim: core_v1.PersistentVolumeClaim, node: str) -> None: ...

    async def reserve_claim(
        self,
        claim: resource_v1.ResourceClaim,
        allocation: resource_v1.AllocationResult | None,
        pod: core_v1.Pod,
    ) -> resource_v1.ResourceClaim: ...

    async def release_claim(self, claim: resource_v1.ResourceClaim, pod: core_v1.Pod) -> None: ...

    async def give_back(self, claim: resource_v1.ResourceClaim) -> None:
        """Take a claim's devices from it, so that others can be had."""
        ...

    async def create_claim(self, claim: resource_v1.ResourceClaim) -> resource_v1.ResourceClaim: ...

    async def delete_claim(self, claim: resource_v1.ResourceClaim) -> None: ...

    async def map_resources(self, pod: core_v1.Pod, status: core_v1.PodExtendedResourceClaimStatus) -> None:
        """Say on the pod which claim has the devices for its extended resources."""
        ...

    def event(self, pod: core_v1.Pod, kind: str, reason: str, message: str) -> None: ...

    def waited_for_devices(
        self, pod: core_v1.Pod, claims: Iterable[resource_v1.ResourceClaim], outcome: str, seconds: float
    ) -> None:
        """For the metrics: how it went with the conditions of devices, and how long that took."""
        ...

    async def wait(self, done: Callable[[], bool], seconds: float) -> None:
        """Until `done`, which is asked after every change of storage or devices. Raises TimeoutError."""
        ...


class Plugin:
    """Defaults: no opinion. `Args` is what its entry in `pluginConfig` may hold."""

    name: ClassVar[str] = ""
    weight: ClassVar[int] = 0
    wide: ClassVar[bool] = False
    late: ClassVar[bool] = False
    sees: ClassVar[Sees] = Sees.PODS
    scale: ClassVar[Scale] = Scale.NONE
    helped_by: ClassVar[changes.Change] = changes.Change.ANY
    Args: ClassVar[type[msgspec.Struct] | None] = None

    def __init__(self, args: Any = None) -> None:
        self.args: Any = args if args is not None or self.Args is None else self.Args()

    def before_queuing(self, pod: core_v1.Pod) -> None:
        """Raises `Rejected` where the pod must wait: until it is changed, or something happens that helps.

        Anything else that is raised is logged, and holds the pod back as well.
        """

    def order(self, pod: core_v1.Pod, since: float) -> Any:
        """What waiting pods are sorted by, the lowest first; `since` is when it began to wait, in seconds."""
        return since

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        return None

    def reject(self, state: Any, nodes: tables.Nodes, rows: Any) -> list[Rejection]:
        return []

    def elsewhere(self, state: Any, nodes: tables.Nodes) -> tables.Bools | None:
        return None

    def score(self, state: Any, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        return None

    def rank(self, state: Any, nodes: tables.Nodes, feasible: tables.Bools) -> tables.Ints | None:
        raw = self.score(state, nodes, slice(0, nodes.size))
        if raw is None or self.scale is Scale.NONE:
            return raw
        return scaled(raw, self.scale, int(raw[feasible].max(initial=0)))

    async def after_filter(self, state: Any, pod: core_v1.Pod, nodes: tables.Nodes, desk: Desk) -> Room:
        """Where no node fits: make that another time goes better. Raises `Failed`, or what the desk's writes raise.

        `state` is what `prepare` answered; `Unasked.UNASKED` where it was not asked.
        """
        return Room()

    def reserve(self, state: Any, nodes: tables.Nodes, row: int) -> Any | None:
        """Keep for the pod what it needs on the chosen row besides room; None: nothing is to be done for it."""
        return None

    def unreserve(self, plan: Any, nodes: tables.Nodes) -> None:
        """Give back what `reserve` has kept, whether the binding came about or not."""

    def permit(self, pod: core_v1.Pod, node: str, waiting: waits.Waiting) -> float:
        """Whether the pod may be bound there: 0 for at once, or the seconds it waits at most for this plugin.

        While it waits, it is in `waiting`, where it can be allowed or rejected; waiting in vain is a rejection.
        Raises `Rejected`.
        """
        return 0.0

    async def before_binding(self, plan: Any, pod: core_v1.Pod, nodes: tables.Nodes, desk: Desk) -> None:
        """Do what must be done first; `plan` is what `reserve` answered."""

    async def bind(self, pod: core_v1.Pod, node: str, desk: Desk) -> bool:
        """Bind the pod; False: another plugin may.

        Raises `Rejected` where it may not be bound there, `Failed`, or what the desk's writes raise.
        """
        return False

    async def undo_binding(self, plan: Any, pod: core_v1.Pod, desk: Desk) -> None:
        """Take back what `before_binding` has written, as the binding did not come about."""

    def after_binding(self, pod: core_v1.Pod, node: str) -> None:
        """The pod is bound."""

    def helps(self, pod: core_v1.Pod, event: changes.Event) -> bool:
        return True


def scaled(raw: tables.Ints, scale: Scale, highest: int) -> tables.Ints:
    """Shares of the highest score, in percent."""
    if not highest:
        return np.full(len(raw), MAX if scale is Scale.LEAST else 0, np.int64)
    shares: tables.Ints = raw * MAX // highest
    return MAX - shares if scale is Scale.LEAST else shares


class NodeByNode(Plugin):
    """A plugin that looks at one node at a time, for those who need not be fast: say `fits` or `rate` or both.

    They are asked once for every node and shape of pod, and again when a node's own facts have changed: its labels,
    taints, allocatable resources or images. What pods run on a node is not theirs to look at.
    """

    sees = Sees.NODE

    def fits(self, shape: shapes.Shape, node: core_v1.Node) -> str | None:
        """Why such a pod may not run there; None: it may."""
        return None

    def rate(self, shape: shapes.Shape, node: core_v1.Node) -> int:
        """0..100, more is better; see `scale` for other ranges."""
        return 0

    def prepare(self, shape: shapes.Shape, nodes: tables.Nodes) -> Any | None:
        kind = type(self)
        verdicts: dict[str, tables.Bools] = {}
        ratings = np.zeros(nodes.size, np.int64) if kind.rate is not NodeByNode.rate else None
        for row, node in enumerate(nodes.objects):
            if node is None:
                continue
            reason = self.fits(shape, node)
            if reason is not None:
                verdicts.setdefault(reason, np.zeros(nodes.size, np.bool_))[row] = True
            elif ratings is not None:
                ratings[row] = self.rate(shape, node)
        return verdicts, ratings

    def reject(self, state: Any, nodes: tables.Nodes, rows: Any) -> list[Rejection]:
        return [Rejection(reason, mask[rows], True) for reason, mask in state[0].items()]

    def score(self, state: Any, nodes: tables.Nodes, rows: Any) -> tables.Ints | None:
        return None if state[1] is None else state[1][rows]
