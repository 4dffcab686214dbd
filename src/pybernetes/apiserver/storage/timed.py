"""A store that is timed, for /metrics: reads and writes, by what is read and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pybernetes import store as stores
from pybernetes.apiserver.storage import keys, passing
from pybernetes.kits import prometheus

BOUNDS = (
    *(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0),
    *(3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)


class TimedStore(passing.PassingStore):
    """`now` is a clock's monotonic time."""

    def __init__(self, inside: stores.Store, now: Callable[[], float]) -> None:
        super().__init__(inside)
        self._now = now
        self._timed: dict[tuple[str, keys.Place], prometheus.Histogram] = {}

    async def get(self, key: str, *, revision: int = 0) -> stores.Entry | None:
        began = self._now()
        try:
            return await self._inside.get(key, revision=revision)
        finally:
            self._observe("get", key, began)

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> stores.Page:
        began = self._now()
        try:
            return await self._inside.range(prefix, after=after, limit=limit, revision=revision)
        finally:
            self._observe("list", prefix, began)

    async def put(self, key: str, value: bytes, *, expected: int) -> int:
        began = self._now()
        try:
            return await self._inside.put(key, value, expected=expected)
        finally:
            self._observe("update" if expected else "create", key, began)

    async def delete(self, key: str, *, expected: int) -> int:
        began = self._now()
        try:
            return await self._inside.delete(key, expected=expected)
        finally:
            self._observe("delete", key, began)

    def families(self) -> Iterator[prometheus.Family]:
        """For /metrics."""
        samples = [
            ({"operation": operation, "group": place.group, "resource": place.resource}, timed)
            for (operation, place), timed in self._timed.items()
        ]
        about = "for each operation and object type"
        yield prometheus.Family(
            "etcd_request_duration_seconds",
            prometheus.HISTOGRAM,
            f"Etcd request latency in seconds {about}; of the store, whichever it is.",
            samples,
        )
        yield prometheus.Family(
            "etcd_requests_total",
            prometheus.COUNTER,
            f"Etcd request counts {about}; of the store, whichever it is.",
            [(labels, sum(timed.counts)) for labels, timed in samples],
        )

    def _observe(self, operation: str, key: str, began: float) -> None:
        at = (operation, keys.place(key))
        timed = self._timed.get(at)
        if timed is None:
            timed = self._timed[at] = prometheus.Histogram(BOUNDS)
        timed.observe(self._now() - began)
