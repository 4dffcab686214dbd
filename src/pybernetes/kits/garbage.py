"""How often Python looks for garbage that reference counts do not find: seldom, in processes that make little of it.

A server holds its objects for long, and makes few cycles. With Python's own thresholds it would go through what it
holds again and again: a tenth of its time, and a tenth of a second at once where it holds many objects.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

# So many objects more than before, and the young ones are looked at (Python's own is 700); and every tenth time, as is
# Python's own, the older ones.
THRESHOLDS = (10_000, 10, 10)


def look_seldom() -> None:
    """To be called when all is loaded and started, which is then not looked at again."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


@contextlib.contextmanager
def seldom() -> Iterator[None]:
    """Seldom while the body runs, in a process that is somebody else's: what there is may be looked at again."""
    before = gc.get_threshold()
    if before == THRESHOLDS:
        # Whoever has said so first takes it back.
        yield
        return
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
