"""The embedded default store: one SQLite file, group commit.

    put/delete --> index (decides, assigns the revision) --> queue --> writer thread: one transaction, one fsync
                                                                          |
       the caller <-- future <-- sinks <-- event loop <-------------------+

Whether a write may happen is decided at once, against an in-memory index that already counts the writes still on
their way to the disk; only durability is waited for. So concurrent writes share one fsync, and a burst costs little
more than a single write. If a commit fails (disk full), the writes in it and behind it are undone and refused, and
reads go on.

The log is kine's idea: one row per write, in revision order; a deletion is a row without a value.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import logging
import pathlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, NamedTuple, TypeVar

from pybernetes.store.hub import Hub, HubSubscription
from pybernetes.store.protocol import Change, Compacted, Conflict, Entry, FutureRevision, Page, Sink, Unavailable
from pybernetes.store.reached import Reached

log = logging.getLogger(__name__)
T = TypeVar("T")

FORMAT = 1
COMPACT_SLICE = 2000
# A statement gives up the interpreter lock and has to get it back, against a busy event loop, several times: so there
# is one for up to this many rows.
ROWS_AT_ONCE = 256
SCHEMA = f"""
CREATE TABLE log (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, created INTEGER NOT NULL);
CREATE INDEX log_key ON log (key, revision);
CREATE TABLE compacted (revision INTEGER NOT NULL);
INSERT INTO compacted VALUES (0);
PRAGMA user_version = {FORMAT};
"""


class _Position(NamedTuple):
    """Where a live key stands, writes under way included."""

    created: int
    modified: int


class _Write(NamedTuple):
    change: Change
    before: _Position | None
    done: asyncio.Future[int]


class SqliteStore:
    """Open with `await SqliteStore.open(path)`."""

    shared = False
    unbroken = 0
    problem = None

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock: IO[str] | None = None
        self._index: dict[str, _Position] = {}
        self._revision = 1
        self._assigned = 1
        self._compacted = 0
        self._queue: list[_Write] = []
        # Whether nothing is being written.
        self._idle = asyncio.Event()
        self._idle.set()
        self._hub = Hub()
        self._reached = Reached(self._revision)
        self._closed = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._write_connection: sqlite3.Connection
        self._read_connection: sqlite3.Connection

    @classmethod
    async def open(cls, path: pathlib.Path) -> SqliteStore:
        """Open or create the file. Raises Unavailable if another process has it, or it is of another format."""
        store = cls(path)
        try:
            await store._in(store._writer, store._open)
        except BaseException:
            store._writer.shutdown()
            store._reader.shutdown()
            raise
        store._reached.advance(store._revision)
        return store

    @property
    def revision(self) -> int:
        return self._revision

    async def current(self) -> int:
        return self._revision

    async def reach(self, revision: int) -> None:
        await self._reached.wait(revision)

    async def get(self, key: str, *, revision: int = 0) -> Entry | None:
        self._check(revision)
        at = revision or self._revision
        row = await self._in(self._reader, lambda: self._newest_row(key, at))
        if row is None or row[0] is None:
            return None
        return Entry(key, row[0], row[1], row[2])

    async def range(self, prefix: str, *, after: str = "", limit: int = 0, revision: int = 0) -> Page:
        self._check(revision)
        at = revision or self._revision
        return await self._in(self._reader, lambda: self._range(prefix, after, limit, at))

    async def put(self, key: str, value: bytes, *, expected: int) -> int:
        return await self._write(key, value, expected)

    async def delete(self, key: str, *, expected: int) -> int:
        return await self._write(key, None, expected)

    async def watch(self, prefix: str, *, after: int, sink: Sink) -> HubSubscription:
        if after < self._compacted:
            raise Compacted(after, self._compacted)
        subscription = self._hub.add(prefix, after, sink)
        try:
            upto = self._revision
            history = []
            if after < upto:
                history = await self._in(self._reader, lambda: self._history(prefix, after, upto))
            subscription.replayed(history)
        except BaseException:
            subscription.close()
            raise
        return subscription

    async def compact(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevision(revision, self._revision)
        if revision <= self._compacted:
            return
        self._compacted = revision
        # In slices, each its own transaction, so that writes waiting for the writer thread get their turn between.
        while await self._in(self._writer, lambda: self._compact_slice(revision)):
            pass

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await self._idle.wait()
        await self._in(self._writer, self._close)
        self._writer.shutdown()
        self._reader.shutdown()

    # -- the event loop's side

    async def _in(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work)
        except sqlite3.Error as error:
            raise Unavailable(f"{self._path}: {error}") from error

    def _check(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevision(revision, self._revision)
        if revision and revision < self._compacted:
            raise Compacted(revision, self._compacted)

    async def _write(self, key: str, value: bytes | None, expected: int) -> int:
        if self._closed:
            raise Unavailable("the store is closed")
        before = self._index.get(key)
        if (before.modified if before else 0) != expected or (value is None and before is None):
            raise Conflict(key, await self.get(key))
        self._assigned = revision = self._assigned + 1
        created = before.created if before else revision
        if value is None:
            del self._index[key]
        else:
            self._index[key] = _Position(created, revision)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[int] = loop.create_future()
        self._queue.append(_Write(Change(key, value, revision, created), before, done))
        if self._idle.is_set():
            self._idle.clear()
            # With whatever else is written before the loop has been round.
            loop.call_soon(self._commit, loop)
        # The write happens whether or not its caller goes on waiting.
        return await done

    def _commit(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand the writer thread all that has come while it was busy."""
        batch, self._queue = self._queue, []
        if batch:
            self._writer.submit(self._insert_and_tell, batch, loop)
        else:
            self._idle.set()

    def _committed(self, batch: list[_Write], failure: Exception | None, loop: asyncio.AbstractEventLoop) -> None:
        if failure is not None:
            self._undo(batch + self._queue, failure)
            self._commit(loop)
            return
        self._commit(loop)
        changes = [write.change for write in batch]
        self._revision = changes[-1].revision
        self._hub.publish(changes)
        self._reached.advance(self._revision)
        for write in batch:
            if not write.done.done():
                write.done.set_result(write.change.revision)

    def _undo(self, writes: list[_Write], failure: Exception) -> None:
        error = f"{self._path}: {failure}"
        log.error("a commit of %d writes failed: %s", len(writes), error)
        self._queue = []
        for write in reversed(writes):
            if write.before is None:
                self._index.pop(write.change.key, None)
            else:
                self._index[write.change.key] = write.before
            if not write.done.done():
                write.done.set_exception(Unavailable(error))
                # Its caller may have gone away; then nobody else will look at it.
                write.done.exception()
        self._assigned = self._revision

    # -- the threads' side

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=32)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = open(self._path.with_suffix(".lock"), "w")  # noqa: SIM115 - held while the store is open
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise Unavailable(f"{self._path} is in use by another process") from None
        self._write_connection = self._connect()
        self._path.chmod(0o600)
        found = self._write_connection.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            self._write_connection.executescript("BEGIN IMMEDIATE;" + SCHEMA + "COMMIT;")
        elif found != FORMAT:
            self._write_connection.close()
            self._lock.close()
            raise Unavailable(f"{self._path} has format {found}; this version reads format {FORMAT}")
        self._read_connection = self._connect()
        self._compacted = self._write_connection.execute("SELECT revision FROM compacted").fetchone()[0]
        newest = self._write_connection.execute("SELECT MAX(revision) FROM log").fetchone()[0]
        self._revision = self._assigned = max(newest or 0, self._compacted, 1)
        newest_rows = "SELECT key, created, MAX(revision), value IS NULL FROM log GROUP BY key"
        rows = self._write_connection.execute(newest_rows)
        self._index = {key: _Position(created, revision) for key, created, revision, deleted in rows if not deleted}

    def _insert_and_tell(self, batch: list[_Write], loop: asyncio.AbstractEventLoop) -> None:
        failure: Exception | None = None
        try:
            self._insert([write.change for write in batch])
        except Exception as error:
            failure = error
        loop.call_soon_threadsafe(self._committed, batch, failure, loop)

    def _insert(self, changes: list[Change]) -> None:
        connection = self._write_connection
        if len(changes) <= ROWS_AT_ONCE:
            # Which is a transaction of its own.
            connection.execute(*_insertion(changes))
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for at in range(0, len(changes), ROWS_AT_ONCE):
                connection.execute(*_insertion(changes[at : at + ROWS_AT_ONCE]))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _newest_row(self, key: str, at: int) -> tuple[bytes | None, int, int] | None:
        query = (
            "SELECT value, created, revision FROM log WHERE key = ? AND revision <= ? ORDER BY revision DESC LIMIT 1"
        )
        row: tuple[bytes | None, int, int] | None = self._read_connection.execute(query, (key, at)).fetchone()
        return row

    def _range(self, prefix: str, after: str, limit: int, at: int) -> Page:
        low = after + "\0" if after > prefix else prefix
        query = (
            "SELECT key, value, created, MAX(revision) FROM log "
            "WHERE key >= ? AND key < ? AND revision <= ? GROUP BY key ORDER BY key"
        )
        entries: list[Entry] = []
        remaining = 0
        rows = self._read_connection.execute(query, (low, prefix_end(prefix), at))
        for key, value, created, modified in rows:
            if value is None:
                continue
            if limit and len(entries) == limit:
                remaining += 1
            else:
                entries.append(Entry(key, value, created, modified))
        return Page(entries, at, remaining)

    def _history(self, prefix: str, after: int, upto: int) -> list[Change]:
        query = (
            "SELECT key, value, revision, created FROM log "
            "WHERE revision > ? AND revision <= ? AND key >= ? AND key < ? ORDER BY revision"
        )
        rows = self._read_connection.execute(query, (after, upto, prefix, prefix_end(prefix)))
        return [Change(*row) for row in rows]

    def _compact_slice(self, revision: int) -> bool:
        """Delete some superseded rows, oldest first (so that no deletion's row goes before what it deleted)."""
        connection = self._write_connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute("UPDATE compacted SET revision = ?", (revision,))
            deleted = connection.execute(
                "DELETE FROM log WHERE revision IN (SELECT old.revision FROM log AS old WHERE old.revision <= :at AND "
                "(old.value IS NULL OR EXISTS (SELECT 1 FROM log AS new WHERE new.key = old.key "
                "AND new.revision > old.revision AND new.revision <= :at)) ORDER BY old.revision LIMIT :slice)",
                {"at": revision, "slice": COMPACT_SLICE},
            ).rowcount
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return deleted == COMPACT_SLICE

    def _close(self) -> None:
        self._read_connection.close()
        self._write_connection.close()
        if self._lock is not None:
            self._lock.close()


def _insertion(changes: Sequence[Change]) -> tuple[str, list[Any]]:
    """The statement, and what it inserts."""
    values: list[Any] = []
    for change in changes:
        values += (change.revision, change.key, change.value, change.created)
    return _insertion_of(len(changes)), values


@functools.cache
def _insertion_of(rows: int) -> str:
    return "INSERT INTO log (revision, key, value, created) VALUES " + ", ".join(["(?, ?, ?, ?)"] * rows)


def prefix_end(prefix: str) -> str:
    """The first string after all that start with the prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
