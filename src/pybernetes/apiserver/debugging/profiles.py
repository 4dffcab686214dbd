"""Looks into this process with what the standard library has; nothing is paid for while nobody looks."""

from __future__ import annotations

import asyncio
import collections
import gc
import io
import traceback

from pybernetes.kits import clock as clocks

FRAMES = 60
TYPES = 50
LINES = 50


class Busy(Exception):
    """Somebody is looking already."""


class Profiler:
    """One at a time: `calls` and `heap` switch something on that the whole thread, or process, has once."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock
        self._calling = self._tracing = False

    async def calls(self, seconds: float) -> str:
        """What runs on the event loop, as `pstats` prints it, by own time. Raises Busy."""
        # Imported here as hardly anybody ever profiles.
        import cProfile
        import pstats

        if self._calling:
            raise Busy("Could not enable CPU profiling: cpu profiling already in use")
        self._calling = True
        profile = cProfile.Profile()
        try:
            try:
                profile.enable()
            except ValueError as error:
                raise Busy(f"Could not enable CPU profiling: {error}") from None
            try:
                await self._clock.sleep(seconds)
            finally:
                profile.disable()
        finally:
            self._calling = False
        text = io.StringIO()
        pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(FRAMES)
        return text.getvalue()

    async def heap(self, seconds: float) -> str:
        """How many objects there are of each type; and, of so many seconds, where memory was allocated and is kept.

        Raises Busy.
        """
        counted = collections.Counter(type(obj).__qualname__ for obj in gc.get_objects())
        lines = [f"{sum(counted.values())} objects that may hold others"]
        lines += [f"{number}\t{name}" for name, number in counted.most_common(TYPES)]
        if seconds:
            lines += ["", f"allocated within {seconds:g}s and kept:", *await self._allocated(seconds)]
        return "\n".join(lines) + "\n"

    async def _allocated(self, seconds: float) -> list[str]:
        import tracemalloc

        if self._tracing or tracemalloc.is_tracing():
            raise Busy("Could not trace memory: it is being traced already")
        self._tracing = True
        tracemalloc.start()
        try:
            await self._clock.sleep(seconds)
            snapshot = tracemalloc.take_snapshot()
        finally:
            tracemalloc.stop()
            self._tracing = False
        return [str(statistic) for statistic in snapshot.statistics("lineno")[:LINES]]


async def tasks(_: float) -> str:
    """The stack of every task, those of equal stacks together, as Go shows its goroutines."""
    stacks: collections.defaultdict[str, list[str]] = collections.defaultdict(list)
    for task in asyncio.all_tasks():
        frames = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in task.get_stack())
        stacks["".join(frames.format())].append(task.get_name())
    total = sum(len(names) for names in stacks.values())
    parts = [f"goroutine profile: total {total}\n"]
    for stack, names in sorted(stacks.items(), key=lambda pair: -len(pair[1])):
        shown = ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
        parts.append(f"{len(names)} @ {shown}\n{stack}")
    return "\n".join(parts)
