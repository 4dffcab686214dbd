"""TLS by files that may be replaced while the server runs.

They are looked at with each handshake, which costs far more. Where the new ones are no good, the old ones stay.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable, Sequence
from typing import Any

log = logging.getLogger(__name__)


def context(
    make: Callable[[], ssl.SSLContext], files: Sequence[str], *, changed: Callable[[], None] = lambda: None
) -> ssl.SSLContext:
    """`make` reads the files; `changed` is called when others have been read. Raises what `make` raises."""
    return _Following(make, files, changed).first


class _Following:
    def __init__(self, make: Callable[[], ssl.SSLContext], files: Sequence[str], changed: Callable[[], None]) -> None:
        self._make, self._files, self._changed = make, files, changed
        self._seen = self._stamps()
        self.first = self._current = make()
        self._choose: Any = self.first.sni_callback
        self.first.sni_callback = self._arrived

    def _arrived(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        stamps = self._stamps()
        if stamps != self._seen:
            self._seen = stamps
            self._read()
        if tls.context is not self._current:
            tls.context = self._current
        # Some names may have a certificate of their own.
        chosen: int | None = self._choose(tls, name, self._current) if self._choose is not None else None
        return chosen

    def _read(self) -> None:
        try:
            fresh = self._make()
            self._changed()
        except (OSError, ValueError) as error:
            log.warning("what is in %s now cannot be used: %s", ", ".join(self._files), error)
            return
        self._current, self._choose = fresh, fresh.sni_callback
        log.info("read again: %s", ", ".join(self._files))

    def _stamps(self) -> tuple[tuple[int, int, int], ...]:
        return tuple(_stamp(file) for file in self._files)


def _stamp(file: str) -> tuple[int, int, int]:
    try:
        found = os.stat(file)
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
