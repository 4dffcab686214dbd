"""Audit events in a file, one a line, which is begun anew when it has become too large.

Old files are called `<name>-<time>.<ext>`, as upstream's are, compressed if that is wanted, and removed when they are
too many or too old.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import pathlib
import shutil
import sys
from datetime import UTC, datetime

from pybernetes.api import times
from pybernetes.kits import clock as clocks
from pybernetes.kits import tasks

log = logging.getLogger(__name__)

MEGABYTE = 1024 * 1024
DAY = 86400.0
STAMP = "%Y-%m-%dT%H-%M-%S"


class LogFile:
    """`path` is "-" for standard output. `wait` is how long events may be kept back, in seconds, until there are
    `batch` of them; 0: until the request is answered, and no longer than what else is being done now takes. `size` is
    in megabytes, `days` and `backups` limit old files; 0 is no limit. For the rest see `auditor.Backend`."""

    plugin = "log"

    def __init__(
        self,
        path: str,
        *,
        clock: clocks.Clock,
        wait: float = 0.0,
        batch: int = 1,
        size: int = 0,
        days: int = 0,
        backups: int = 0,
        compress: bool = False,
        largest: int = 0,
        strict: bool = False,
    ) -> None:
        self.largest, self.strict = largest, strict
        self.lost = 0
        self._path = None if path == "-" else pathlib.Path(path)
        self._clock, self._wait, self._batch = clock, wait, batch
        self._limit, self._days, self._backups, self._compress = size * MEGABYTE, days, backups, compress
        self._file: int = -1
        self._size = 0
        self._lines: list[bytes] = []
        self._pending: clocks.Timer | asyncio.Handle | None = None
        self._ended: list[pathlib.Path] = []
        self._tidying: asyncio.Task[None] | None = None
        self._tasks = tasks.Tasks()

    def start(self) -> None:
        """Raises OSError."""
        if self._path is None:
            self._file = sys.stdout.fileno()
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size

    def write(self, event: bytes) -> None:
        self._lines.append(event)
        if self._wait and len(self._lines) >= self._batch:
            if self._pending is not None:
                self._pending.cancel()
            self._late()
        elif self._pending is None:
            if self._wait:
                self._pending = self._clock.call_later(self._wait, self._late)
            else:
                self._pending = asyncio.get_running_loop().call_soon(self._late)

    def settle(self) -> bool:
        return self._wait > 0 or self._flush()

    async def close(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
        if self._file >= 0:
            self._flush()
            if self._tidying is not None:
                await asyncio.wait([self._tidying])
            await self._tasks.close()
            if self._path is not None:
                os.close(self._file)
            self._file = -1

    def _late(self) -> None:
        """What has waited for this, unless it has been written since."""
        self._pending = None
        self._flush()

    def _flush(self) -> bool:
        """Whether all that there was is in the file."""
        lines = self._lines
        if not lines:
            return True
        data = b"".join(lines)
        try:
            if self._limit and self._size and self._size + len(data) > self._limit:
                self._rotate()
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, memoryview(data)[written:])
            self._size += len(data)
        except OSError as error:
            # Requests are answered all the same, unless they are strict; the log says what it lacks.
            self.lost += len(lines)
            log.error("%d bytes of audit events could not be written: %s", len(data), error)
            return False
        finally:
            lines.clear()
        return True

    def _rotate(self) -> None:
        path = self._path
        if path is None:
            return
        now = self._clock.time()
        stamp = datetime.fromtimestamp(now, UTC).strftime(STAMP) + f".{int(now * 1000) % 1000:03d}"
        old = path.with_name(f"{path.stem}-{stamp}{path.suffix}")
        path.rename(old)
        os.close(self._file)
        self.start()
        self._ended.append(old)
        if self._tidying is None or self._tidying.done():
            self._tidying = self._tasks.spawn(self._keep_tidy(), name="old audit logs")

    async def _keep_tidy(self) -> None:
        """One file at a time: each looks at what the others have left."""
        while self._ended:
            await asyncio.to_thread(self._tidy, self._ended.pop(0), self._clock.time())

    def _tidy(self, old: pathlib.Path, now: float) -> None:
        path = self._path
        if path is None:
            return
        if self._compress and old.exists():
            with old.open("rb") as plain, gzip.open(f"{old}.gz", "wb") as packed:
                shutil.copyfileobj(plain, packed)
            old.unlink()
        written = {one: _written(one, path) for one in path.parent.glob(f"{path.stem}-*{path.suffix}*")}
        ours = [(time, one) for one, time in written.items() if time is not None]
        for index, (time, one) in enumerate(sorted(ours, reverse=True)):
            too_old = self._days and now - time > self._days * DAY
            if too_old or (self._backups and index >= self._backups):
                one.unlink(missing_ok=True)


def _written(old: pathlib.Path, current: pathlib.Path) -> float | None:
    """When an old file was ended, by its name; None for a file that is none of ours."""
    text = old.name.removeprefix(f"{current.stem}-").removesuffix(".gz").removesuffix(current.suffix)
    day, _, hour = text.partition("T")
    try:
        return times.parse(f"{day}T{hour.replace('-', ':')}Z")
    except ValueError:
        return None
