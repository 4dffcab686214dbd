"""Snapshots of the SQLite store: taken while it is written to, put in place of one that is down.

A snapshot is a SQLite file like the store's own, whole in itself. Putting one back must not turn back the revision:
a watcher that has seen revision 90 of the state that is given up would otherwise take the next revision 90 for the
one it knows. So the restored store goes on after whatever was there before, and calls all before that compacted;
watchers are told to begin anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import shutil
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from pybernetes.store import sqlite
from pybernetes.store.protocol import Unavailable

LIVE = "SELECT COUNT(*) FROM (SELECT MAX(revision), value IS NULL AS deleted FROM log GROUP BY key) WHERE NOT deleted"
NEWEST = "SELECT MAX((SELECT IFNULL(MAX(revision), 1) FROM log), (SELECT revision FROM compacted))"


class Summary(NamedTuple):
    """How many keys it holds, as of which revision, in how many bytes."""

    keys: int
    revision: int
    size: int


def save(database: pathlib.Path, file: pathlib.Path) -> Summary:
    """Copy the store, which may be in use, to a file that only its owner can read; whole or not at all.

    Raises Unavailable if there is no store of our format.
    """
    partial = file.with_name(file.name + ".partial")
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(_opened(database))
        stack.callback(partial.unlink, missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        target = stack.enter_context(contextlib.closing(sqlite3.connect(partial)))
        # In one step it is one reading transaction: writers are neither kept waiting nor make it begin again.
        source.backup(target)
        # The copy has the mode of the source, which would leave it in two files.
        target.execute("PRAGMA journal_mode = DELETE")
        target.close()
        summary = inspect(partial)
        _sync(partial)
        partial.replace(file)
        _sync(file.parent)
    return summary


def inspect(file: pathlib.Path) -> Summary:
    """What is in a snapshot, its every page checked. Raises Unavailable if it is not whole or no snapshot."""
    with _opened(file) as connection:
        problem = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if problem != "ok":
            raise Unavailable(f"{file} is damaged: {problem}")
        return Summary(
            connection.execute(LIVE).fetchone()[0], connection.execute(NEWEST).fetchone()[0], file.stat().st_size
        )


def restore(file: pathlib.Path, database: pathlib.Path) -> Summary:
    """Put the snapshot in place of the store, which must not be in use; what was there is kept beside it, as
    `replaced(database)`. Raises Unavailable, and then nothing has changed.
    """
    summary = inspect(file)
    database.parent.mkdir(parents=True, exist_ok=True)
    with _locked(database):
        revision = max(summary.revision, _revision(database))
        fresh = database.with_suffix(".restoring")
        try:
            os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            shutil.copyfile(file, fresh)
            with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
                connection.execute("UPDATE compacted SET revision = ?", (revision,))
            _sync(fresh)
            _set_aside(database)
            fresh.replace(database)
        finally:
            fresh.unlink(missing_ok=True)
        _sync(database.parent)
    return summary


def replaced(database: pathlib.Path) -> pathlib.Path:
    """Where the last `restore` has put what was there before."""
    return database.with_suffix(".replaced")


@contextlib.contextmanager
def _opened(file: pathlib.Path) -> Iterator[sqlite3.Connection]:
    if not file.is_file():
        raise Unavailable(f"{file}: there is no such file")
    try:
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found != sqlite.FORMAT:
                raise Unavailable(f"{file} has format {found}; this version reads format {sqlite.FORMAT}")
            yield connection
    except sqlite3.Error as error:
        raise Unavailable(f"{file}: {error}") from error


@contextlib.contextmanager
def _locked(database: pathlib.Path) -> Iterator[None]:
    """The store's own lock."""
    with open(database.with_suffix(".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable(f"{database} is in use by another process") from None
        yield


def _revision(database: pathlib.Path) -> int:
    """The newest revision of the store that is to be replaced, 0 if there is none or it cannot be read any more."""
    if not database.exists():
        return 0
    try:
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
            newest: int = connection.execute(NEWEST).fetchone()[0]
    except sqlite3.Error:
        return 0
    return newest


def _set_aside(database: pathlib.Path) -> None:
    """With what SQLite keeps beside it, which would otherwise be taken for the successor's."""
    for suffix in ("", "-wal", "-shm"):
        aside = replaced(database)
        aside = aside.with_name(aside.name + suffix)
        aside.unlink(missing_ok=True)
        file = database.with_name(database.name + suffix)
        if file.exists():
            file.replace(aside)


def _sync(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
