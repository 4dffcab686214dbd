"""The seam of admission: a plugin may change what is written (`admit`) and refuse it (`validate`).

Plugins say what concerns them, so that for each kind of request there is a short list of those to ask, made once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.resources import kind as kinds
from pybernetes.kits import prometheus

# Of how long a step takes, in seconds.
BOUNDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
QUICK = BOUNDS[0]
CREATE = "CREATE"
UPDATE = "UPDATE"
DELETE = "DELETE"
CONNECT = "CONNECT"

Tree = dict[str, Any]


class Attributes(msgspec.Struct, kw_only=True):
    """What is about to happen. `old` is shared, read-only; `obj` is None for deletions, in `admit` ours to change or
    to replace by another of its type; of a CONNECT it is the options, as a tree.

    `options` makes the tree of the write's options (CreateOptions, ...). `warnings` and `annotations` are the
    request's: what the client is told, and what is noted for the audit; `kept` is told how long others kept it, in
    seconds.
    """

    operation: str
    kind: kinds.Kind[Any]
    namespace: str
    name: str
    user: requests.User
    subresource: str = ""
    obj: Any = None
    old: Any = None
    dry_run: bool = False
    options: Callable[[], Tree | None] = lambda: None
    warnings: list[str] = []
    annotations: dict[str, str] = {}
    kept: Callable[[float], None] = lambda seconds: None
    # A plugin that changed something asks that earlier ones look again; it happens once, and they see that it does.
    again: bool = False
    is_again: bool = False
    # What plugins remember from the first round, by their names.
    notes: dict[str, Any] = {}

    @property
    def resource(self) -> str:
        """`pods`, `deployments.apps`, `pods/binding`."""
        whole = self.kind.resource.group_resource
        return f"{whole}/{self.subresource}" if self.subresource else whole

    @property
    def own_namespace(self) -> str:
        """A namespace counts as being in itself."""
        if self.kind.resource.group_resource == "namespaces":
            return self.name
        return self.namespace

    @property
    def declared(self) -> tuple[str, str]:
        """apiVersion and kind of what is written, which for a subresource is not the resource's."""
        shown = self.obj if self.obj is not None else self.old
        if isinstance(shown, dict):
            return shown["apiVersion"], shown["kind"]
        return shown.apiVersion, shown.kind

    def forbidden(self, why: str) -> errors.StatusError:
        """The refusal that most plugins have."""
        resource = self.kind.resource
        return errors.forbidden(resource.group, resource.name, self.name, why)

    def note(self, annotations: Mapping[str, str]) -> None:
        """What has been noted stays as it was noted first."""
        for key, value in annotations.items():
            self.annotations.setdefault(key, value)


class Plugin:
    """One admission plugin; it raises StatusError to refuse. Of its two methods those are asked that it defines.

    `operations` and `resources` are what it is about; no resources are all of them.
    """

    name: ClassVar[str] = ""
    operations: ClassVar[Collection[str]] = (CREATE, UPDATE, DELETE, CONNECT)
    resources: ClassVar[Collection[str]] = ()

    def handles(self, operation: str, resource: str) -> bool:
        return operation in self.operations and (not self.resources or resource in self.resources)

    async def admit(self, attributes: Attributes) -> None:
        """Change what is written, or refuse it."""

    async def validate(self, attributes: Attributes) -> None:
        """Refuse what is written, or let it pass."""

    def families(self) -> Iterable[prometheus.Family]:
        """What else there is to tell in /metrics."""
        return ()

    async def close(self) -> None:
        """The server ends."""


class Step(NamedTuple):
    """What a plugin does in a step; `passed` and `refused` are how long it took to."""

    run: Callable[[Attributes], Awaitable[None]]
    passed: prometheus.Histogram
    refused: prometheus.Histogram


class Admission:
    """The plugins in their order. `now` is a clock's monotonic time."""

    def __init__(self, plugins: Sequence[Plugin], now: Callable[[], float]) -> None:
        self._plugins = plugins
        self._now = now
        # By step, operation, and whether it was refused.
        self._timed: dict[tuple[str, str, bool], prometheus.Histogram] = {}
        # By plugin, step, operation, and whether it was refused.
        self._plugins_timed: dict[tuple[str, str, str, bool], prometheus.Histogram] = {}
        self._steps: dict[tuple[str, str, str, str], tuple[list[Step], list[Step]]] = {}

    async def admit(self, attributes: Attributes) -> None:
        began, refused = self._now(), True
        try:
            steps = self._of(attributes)[0]
            await self._run(steps, attributes, began)
            if attributes.again:
                attributes.is_again = True
                await self._run(steps, attributes, self._now())
            refused = False
        finally:
            self._observe("admit", attributes.operation, refused, began)

    async def validate(self, attributes: Attributes) -> None:
        began, refused = self._now(), True
        try:
            await self._run(self._of(attributes)[1], attributes, began)
            refused = False
        finally:
            self._observe("validate", attributes.operation, refused, began)

    def families(self) -> Iterator[prometheus.Family]:
        """For /metrics."""
        yield prometheus.Family(
            "apiserver_admission_step_admission_duration_seconds",
            prometheus.HISTOGRAM,
            "Admission sub-step latency histogram in seconds, broken out for each operation and step type (validate or "
            "admit).",
            [
                ({"operation": operation, "rejected": str(refused).lower(), "type": step}, timed)
                for (step, operation, refused), timed in self._timed.items()
            ],
        )
        yield prometheus.Family(
            "apiserver_admission_controller_admission_duration_seconds",
            prometheus.HISTOGRAM,
            "Admission controller latency histogram in seconds, identified by name and broken out for each operation "
            "and API resource and type (validate or admit).",
            [
                ({"name": name, "operation": operation, "rejected": str(refused).lower(), "type": step}, timed)
                for (name, step, operation, refused), timed in self._plugins_timed.items()
                if any(timed.counts)
            ],
        )
        for one in self._plugins:
            yield from one.families()

    async def close(self) -> None:
        for plugin in self._plugins:
            await plugin.close()

    async def connect(self, attributes: Attributes) -> None:
        """All there is to ask where nothing is written."""
        await self.admit(attributes)
        await self.validate(attributes)

    async def _run(self, steps: Sequence[Step], attributes: Attributes, began: float) -> None:
        """One after the other; one ends where the next begins, so that the clock is read once for each."""
        now = self._now
        for run, passed, refused in steps:
            try:
                await run(attributes)
            except BaseException:
                refused.observe(now() - began)
                raise
            ended = now()
            took, began = ended - began, ended
            if took <= QUICK:
                # As `observe` would, for nearly all of them.
                passed.counts[0] += 1
                passed.sum += took
            else:
                passed.observe(took)

    def _observe(self, step: str, operation: str, refused: bool, began: float) -> None:
        at = (step, operation, refused)
        timed = self._timed.get(at)
        if timed is None:
            timed = self._timed[at] = prometheus.Histogram(BOUNDS)
        timed.observe(self._now() - began)

    def _of(self, attributes: Attributes) -> tuple[list[Step], list[Step]]:
        resource = attributes.kind.resource
        at = (attributes.operation, resource.group, resource.name, attributes.subresource)
        found = self._steps.get(at)
        if found is None:
            asked = [one for one in self._plugins if one.handles(attributes.operation, attributes.resource)]
            found = self._steps[at] = (
                [
                    self._step(one, "admit", attributes.operation, one.admit)
                    for one in asked
                    if type(one).admit is not Plugin.admit
                ],
                [
                    self._step(one, "validate", attributes.operation, one.validate)
                    for one in asked
                    if type(one).validate is not Plugin.validate
                ],
            )
        return found

    def _step(self, asked: Plugin, type_: str, operation: str, run: Callable[[Attributes], Awaitable[None]]) -> Step:
        passed, refused = (
            self._plugins_timed.setdefault((asked.name, type_, operation, is_refused), prometheus.Histogram(BOUNDS))
            for is_refused in (False, True)
        )
        return Step(run, passed, refused)
