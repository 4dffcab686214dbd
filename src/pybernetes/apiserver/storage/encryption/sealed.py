"""A store whose values are sealed on their way in and opened on their way out, where the configuration says so."""

from __future__ import annotations

from collections.abc import Sequence

from pybernetes import store as stores
from pybernetes.apiserver.storage import keys, passing
from pybernetes.apiserver.storage.encryption import configuration, providers
from pybernetes.kits import chance as chances


class SealedStore(passing.PassingStore):
    """The store `inside`, as its readers and writers know it; what is not sealed passes as it is.

    A value that cannot be opened raises Unavailable, which says where it is: while a key is missing, nothing is served
    that would look as if the value were not there.
    """

    def __init__(self, inside: stores.Store, config: configuration.Configuration, chance: chances.Chance) -> None:
        super().__init__(inside)
        self._config, self._chance = config, chance
        self._providers: dict[keys.Place, providers.Providers | None] = {}
        self._stale: set[str] = set()

    def is_stale(self, key: str) -> bool:
        """Whether the value would be kept in another form if it were written now."""
        return key in self._stale

    async def get(self, key: str, *, revision: int = 0) -> stores.Entry | None:
        entry = await self._inside.get(key, revision=revision)
        return None if entry is None else self._opened(entry)

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> stores.Page:
        page = await self._inside.range(prefix, after=after, limit=limit, revision=revision)
        return page._replace(entries=[self._opened(entry) for entry in page.entries])

    async def put(self, key: str, value: bytes, *, expected: int) -> int:
        found = self._of(key)
        if found is not None:
            value = found.seal(value, key)
        try:
            revision = await self._inside.put(key, value, expected=expected)
        except stores.Conflict as error:
            raise self._told(error) from None
        self._stale.discard(key)
        return revision

    async def delete(self, key: str, *, expected: int) -> int:
        try:
            revision = await self._inside.delete(key, expected=expected)
        except stores.Conflict as error:
            raise self._told(error) from None
        self._stale.discard(key)
        return revision

    async def watch(self, prefix: str, *, after: int, sink: stores.Sink) -> stores.Subscription:
        if self._of(prefix) is None:
            return await self._inside.watch(prefix, after=after, sink=sink)

        def opening(changes: Sequence[stores.Change]) -> None:
            sink([self._open_change(change) for change in changes])

        return await self._inside.watch(prefix, after=after, sink=opening)

    # -- inside

    def _of(self, key: str) -> providers.Providers | None:
        """What seals the values below a key, or of a prefix."""
        place = keys.place(key)
        if place not in self._providers:
            self._providers[place] = self._config.providers_of(*place, self._chance)
        return self._providers[place]

    def _told(self, conflict: stores.Conflict) -> stores.Conflict:
        found = conflict.current
        return stores.Conflict(conflict.key, None if found is None else self._opened(found))

    def _opened(self, entry: stores.Entry) -> stores.Entry:
        found = self._of(entry.key)
        return entry if found is None else entry._replace(value=self._open(found, entry.key, entry.value))

    def _open_change(self, change: stores.Change) -> stores.Change:
        found = self._of(change.key)
        if found is None or change.value is None:
            return change
        return change._replace(value=self._open(found, change.key, change.value))

    def _open(self, found: providers.Providers, key: str, value: bytes) -> bytes:
        try:
            data, stale = found.open(value, key)
        except providers.Unreadable as error:
            raise stores.Unavailable(f'unable to transform key "{key}": {error}') from None
        if stale:
            self._stale.add(key)
        return data
