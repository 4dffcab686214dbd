"""Plain limits, for servers that run without priority and fairness: so many reads and so many writes at a time."""

from __future__ import annotations

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver.flowcontrol import longrunning

READS = ("get", "list", "watch")
REFUSED = "Too many requests, please try again later."


class _Kind:
    """Requests of one kind: a ticket for as many as there are. Nobody waits."""

    arrive = None
    executed = None

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0

    async def again(self) -> None:
        """It goes on."""

    def leave(self) -> None:
        self.running -= 1


class InFlight:
    """`reads` and `writes` are how many may run at once; 0 for any number."""

    def __init__(self, *, reads: int, writes: int) -> None:
        self._reads, self._writes = _Kind(reads), _Kind(writes)

    def enter(self, request: requests.Request) -> _Kind | None:
        """Raises StatusError 429. Superusers pass, so that somebody can look what is wrong."""
        if longrunning.is_long(request.attributes):
            return None
        kind = self._reads if request.attributes.verb in READS else self._writes
        if kind.limit and kind.running >= kind.limit and "system:masters" not in request.user.groups:
            raise errors.too_many_requests(REFUSED)
        kind.running += 1
        return kind
