"""The documents below /debug/pprof and /debug/flags; who may see them, others have decided before.

The paths are upstream's; what they show is Python's: text, for people, where Go's tools read a format of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.debugging import profiles
from pybernetes.kits import clock as clocks
from pybernetes.kits import verbosity

TEXT = "text/plain; charset=utf-8"
PROFILES = "/debug/pprof"
FLAGS = "/debug/flags"
# As long as Go profiles when nobody says how long; and where it is cut off.
SECONDS, LONGEST = 30.0, 600.0

# A number of seconds in, what was seen meanwhile out.
Look = Callable[[float], Awaitable[str]]


class Debugging:
    """One per process: there is one profiler to a thread."""

    def __init__(self, clock: clocks.Clock) -> None:
        profiler = profiles.Profiler(clock)
        # By name: how, for how long if nobody says, and what the index tells of it.
        self._profiles: dict[str, tuple[Look, float, str]] = {
            "cmdline": (_command_line, 0.0, "The words that the process was started with."),
            "goroutine": (profiles.tasks, 0.0, "Where every task waits."),
            "heap": (profiler.heap, 0.0, "What objects there are; with ?seconds=N also which lines allocated since."),
            "profile": (profiler.calls, SECONDS, "What the event loop spends its time on, for ?seconds=N."),
        }

    async def answer(self, request: requests.Request) -> results.Document | None:
        """None for a path that is none of them."""
        path = request.path
        if path == PROFILES:
            return results.Document(b"", TEXT, 302, (("Location", f"{PROFILES}/"),))
        if path.startswith(f"{PROFILES}/"):
            return await self._profile(request, path.removeprefix(f"{PROFILES}/"))
        if path in (FLAGS, f"{FLAGS}/"):
            return _document(f"{FLAGS}/\n\nflags:\nv\t{verbosity.current()}\n")
        if path == f"{FLAGS}/v":
            return _flag(request)
        return None

    async def _profile(self, request: requests.Request, name: str) -> results.Document:
        if request.method not in ("GET", "HEAD"):
            raise errors.method_not_allowed()
        if not name:
            listed = "".join(f"{known}\t{about}\n" for known, (_, _, about) in self._profiles.items())
            return _document(f"{PROFILES}/\n\n{listed}")
        found = self._profiles.get(name)
        if found is None:
            return _document("Unknown profile\n", 404)
        look, seconds, _ = found
        try:
            seconds = float(request.query.get("seconds", "") or seconds)
        except ValueError:
            return _document('invalid value for "seconds"\n', 400)
        try:
            return _document(await look(min(max(seconds, 0.0), LONGEST)))
        except profiles.Busy as error:
            return _document(f"{error}\n", 500)


def _flag(request: requests.Request) -> results.Document:
    """Upstream changes how much is logged so, and no other flag."""
    if request.method != "PUT":
        return _document("unsupported http method", 406)
    text = request.body.decode(errors="replace") if isinstance(request.body, bytes) else str(request.body)
    try:
        verbosity.change(verbosity.parse(text))
    except ValueError as error:
        return _document(str(error), 400)
    return _document(f"successfully set klog.logging.verbosity to {text}")


async def _command_line(_: float) -> str:
    return "\0".join(sys.argv)


def _document(text: str, code: int = 200) -> results.Document:
    return results.Document(text.encode(), TEXT, code, (("X-Content-Type-Options", "nosniff"),))
