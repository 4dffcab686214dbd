"""A store around another: what its makers change, they override."""

from __future__ import annotations

from pybernetes import store as stores


class PassingStore:
    """All that is asked for, `inside` is asked for."""

    def __init__(self, inside: stores.Store) -> None:
        self._inside = inside

    @property
    def shared(self) -> bool:
        return self._inside.shared

    @property
    def unbroken(self) -> int:
        return self._inside.unbroken

    @property
    def problem(self) -> str | None:
        return self._inside.problem

    @property
    def revision(self) -> int:
        return self._inside.revision

    async def current(self) -> int:
        return await self._inside.current()

    async def reach(self, revision: int) -> None:
        await self._inside.reach(revision)

    async def get(self, key: str, *, revision: int = 0) -> stores.Entry | None:
        return await self._inside.get(key, revision=revision)

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> stores.Page:
        return await self._inside.range(prefix, after=after, limit=limit, revision=revision)

    async def put(self, key: str, value: bytes, *, expected: int) -> int:
        return await self._inside.put(key, value, expected=expected)

    async def delete(self, key: str, *, expected: int) -> int:
        return await self._inside.delete(key, expected=expected)

    async def watch(self, prefix: str, *, after: int, sink: stores.Sink) -> stores.Subscription:
        return await self._inside.watch(prefix, after=after, sink=sink)

    async def compact(self, revision: int) -> None:
        await self._inside.compact(revision)

    async def close(self) -> None:
        await self._inside.close()
