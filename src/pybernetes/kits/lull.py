"""Gives way: work that nobody waits for goes on when the event loop has little else to do.

Upstream's components get there by a limit on the requests of each client (events come last, at 50 a second); one
event loop shows by itself whether it is busy.
"""

from __future__ import annotations

import asyncio

from pybernetes.kits.clock import Clock

# A turn of the loop that takes longer is one of others' work, in seconds; so many shorter ones in a row are a lull; and
# how long the loop is left to others where there is none.
SHORT = 0.0002
TURNS = 3
PAUSE = 0.02


async def lull(clock: Clock, until: float) -> None:
    """Return when the event loop has come round quickly, or at `until` (monotonic seconds) at the latest.

    In virtual time, in which nothing takes time, that is after a few turns.
    """
    quick = 0
    while quick < TURNS and (began := clock.monotonic()) < until:
        await asyncio.sleep(0)
        if clock.monotonic() - began <= SHORT:
            quick += 1
            continue
        quick = 0
        over = asyncio.Event()
        timer = clock.put_off(PAUSE, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()
