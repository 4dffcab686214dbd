"""The pods that owners of one kind keep: whom a pod's change concerns, and how pods are made and removed for an owner.

Every creation and deletion is expected to show in the cache, and until it has, the owner asks for no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pybernetes.api import selectors
from pybernetes.api.types import core_v1
from pybernetes.client import resource_of
from pybernetes.controllers import owners, pods
from pybernetes.controllers.context import Context
from pybernetes.controllers.expectations import Expectations
from pybernetes.informers import Informer, Queue, Recorder, key_of

# An owner of more pods than these is looked at after so many seconds for each: some times what it takes.
MANY, GATHERED = 100, 50e-6


class OwnedPods:
    """Of all owners of type `kind`; puts the keys of those that are to be looked at into the queue.

    `selector(owner)` reads an owner's selector. `size(owner)` is about how many pods it has: looking at an owner costs
    as much as it has pods, so changes of one that has many are gathered for a moment.
    """

    def __init__(
        self,
        context: Context,
        kind: type,
        *,
        queue: Queue,
        recorder: Recorder,
        selector: Callable[[Any], selectors.LabelSelector],
        size: Callable[[Any], int] = lambda _: 0,
    ) -> None:
        self._size = size
        self._client, self._queue, self._recorder, self._selector = context.client, queue, recorder, selector
        self._kind = resource_of(kind).kind
        self.expected = Expectations(context.clock)
        self.owners: Informer[Any] = context.informers.of(kind)
        self.pods: Informer[core_v1.Pod] = context.informers.of(core_v1.Pod)
        owners.index(self.pods)
        self.pods.on_change(self._changed)

    def owner_of(self, pod: core_v1.Pod) -> Any:
        """The owner that controls the pod, where that very one is still known; None otherwise."""
        reference = owners.controller_of(pod)
        if reference is None or reference.kind != self._kind:
            return None
        owner = self.owners.cache.get(reference.name, pod.metadata.namespace)
        return owner if owner is not None and owner.metadata.uid == reference.uid else None

    def matching(self, pod: core_v1.Pod) -> list[Any]:
        """The owners that would adopt the pod if nobody had it."""
        found = []
        for owner in self.owners.cache.list(pod.metadata.namespace):
            selector = self._selector(owner)
            if not selector.empty and selector.matches(pod.metadata.labels):
                found.append(owner)
        return found

    def candidates(self, owner: Any) -> list[core_v1.Pod]:
        """What the owner controls, and what nobody in its namespace does."""
        return owners.candidates(self.pods, owner)

    def _changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if new is None or new.metadata.deletionTimestamp is not None:
            self._gone(new or old)
            return
        owner = self.owner_of(new)
        before = self.owner_of(old) if old is not None else None
        if before is not None and before is not owner:
            self._queue.add(key_of(before), f"pod {key_of(new)} left")
        if owner is not None:
            if old is None:
                self.expected.creation_observed(key_of(owner))
            self._look(owner, f"pod {key_of(new)} changed")
        elif owners.controller_of(new) is None and (
            old is None or old.metadata.labels != new.metadata.labels or owners.controller_of(old) is not None
        ):
            for one in self.matching(new):
                self._queue.add(key_of(one), f"pod {key_of(new)} has no owner")

    def _gone(self, pod: core_v1.Pod | None) -> None:
        owner = self.owner_of(pod) if pod is not None else None
        if pod is not None and owner is not None:
            self.expected.deletion_observed(key_of(owner), key_of(pod))
            self._look(owner, f"pod {key_of(pod)} is going")

    def _look(self, owner: Any, because: str) -> None:
        size = self._size(owner)
        self._queue.add_after(key_of(owner), size * GATHERED if size > MANY else 0.0, because)

    async def create(self, owner: Any, count: int, make: Callable[[], core_v1.Pod]) -> tuple[int, Exception | None]:
        """Create so many pods, each as `make` gives it. Answers how many succeeded, and the first failure."""
        key = key_of(owner)
        self.expected.expect_creations(key, count)

        async def attempt() -> None:
            await pods.create(self._client, self._recorder, make(), owner)

        succeeded, failure = await pods.slow_start(count, attempt)
        for _ in range(count - succeeded):
            self.expected.creation_observed(key)
        return succeeded, failure

    async def delete(self, owner: Any, chosen: list[core_v1.Pod]) -> Exception | None:
        """Delete those pods. Answers the first failure."""
        key = key_of(owner)
        self.expected.expect_deletions(key, map(key_of, chosen))

        async def attempt(pod: core_v1.Pod) -> None:
            deleted = False
            try:
                deleted = await pods.delete(self._client, self._recorder, pod, owner)
            finally:
                if not deleted:
                    self.expected.deletion_observed(key, key_of(pod))

        results = await asyncio.gather(*map(attempt, chosen), return_exceptions=True)
        return next((result for result in results if isinstance(result, Exception)), None)
