"""A cluster on a thread of its own, for tests that block: every method of `Cluster` that waits, without `await`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import pathlib
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pybernetes.testing import cluster as clusters
from pybernetes.testing import faults, snapshots, why

T = TypeVar("T")

# No single step of a test takes longer; one that does hangs.
PATIENCE = 300.0


class BackgroundCluster:
    """`with BackgroundCluster(nodes=3) as c:`; options are those of `Cluster`, which is `inner`."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pybernetes", daemon=True)
        self.inner: clusters.Cluster | None = None

    def start(self) -> BackgroundCluster:
        self._thread.start()
        self.inner = self.call(self._make())
        return self

    def close(self) -> None:
        if self.inner is not None:
            self.call(self.inner.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def __enter__(self) -> BackgroundCluster:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the cluster's loop, and wait for what it gives."""
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(PATIENCE)

    @property
    def kubeconfig(self) -> pathlib.Path:
        """A file that every client connects with."""
        return self.call(self._started().kubeconfig())

    def apply(self, manifest: str | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> list[Any]:
        return self.call(self._started().apply(manifest))

    def settled(self) -> None:
        self.call(self._started().settled())

    def advance(self, duration: float | str) -> None:
        self.call(self._started().advance(duration))

    def snapshot(self) -> snapshots.Snapshot:
        return self.call(self._started().snapshot())

    def restore(self, snapshot: snapshots.Snapshot) -> None:
        self.call(self._started().restore(snapshot))

    def why(self, target: str, *, namespace: str = "default") -> list[why.Why]:
        return self._started().why(target, namespace=namespace)

    @contextlib.contextmanager
    def fault(self, **what: Any) -> Iterator[faults.Fault]:
        with self._started().fault(**what) as made:
            yield made

    @contextlib.contextmanager
    def budget(self, limit: int, *, agent: str = "*", writes: bool = False) -> Iterator[None]:
        self.settled()
        with self._started().budget(limit, agent=agent, writes=writes):
            yield
            self.settled()

    @contextlib.contextmanager
    def no_hot_loops(self, *, agent: str = "*") -> Iterator[None]:
        self.settled()
        with self._started().no_hot_loops(agent=agent):
            yield
            self.settled()

    def _started(self) -> clusters.Cluster:
        if self.inner is None:
            raise RuntimeError("the cluster is not started: use `with BackgroundCluster() as c`")
        return self.inner

    async def _make(self) -> clusters.Cluster:
        return await clusters.Cluster(**self._options).__aenter__()
