"""What API servers on one store take for the time of a write, so that no two take the same.

A claim is one key that one of them creates. Who has crashed releases nothing: a claim that is older than any write
can be is taken over.
"""

from __future__ import annotations

from pybernetes import store as stores
from pybernetes.apiserver.storage import collection as collections
from pybernetes.apiserver.storage import keys
from pybernetes.kits import clock as clocks

GRACE_SECONDS = 60.0


class Claims:
    """Claims of one sort, kept below `/registry/ranges/<sort>/` by name."""

    def __init__(self, store: stores.Store, sort: str, *, clock: clocks.Clock) -> None:
        self._store = store
        self._prefix = f"{keys.ROOT}ranges/{sort}/"
        self._clock = clock
        self._held: dict[str, int] = {}

    async def take(self, name: str) -> bool:
        """False if somebody has it. Raises Unwritable."""
        value = repr(self._clock.time()).encode()
        expected = 0
        for _ in range(2):
            try:
                self._held[name] = await self._store.put(self._prefix + name, value, expected=expected)
            except stores.Conflict as conflict:
                if conflict.current is None or not self._is_left(conflict.current):
                    return False
                expected = conflict.current.modified
            except stores.Unavailable as error:
                raise collections.Unwritable(str(error)) from error
            else:
                return True
        return False

    async def release(self, name: str) -> None:
        """Where that cannot be done now, it is taken over when it is old."""
        held = self._held.pop(name, 0)
        if held:
            try:
                await self._store.delete(self._prefix + name, expected=held)
            except stores.StoreError:
                return

    def _is_left(self, entry: stores.Entry) -> bool:
        return self._clock.time() - float(entry.value) > GRACE_SECONDS
