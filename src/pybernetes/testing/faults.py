"""What can go wrong between a client and the API server, on demand and for any client."""

from __future__ import annotations

import fnmatch
import http
from dataclasses import dataclass, field

import msgspec

from pybernetes.api import errors
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to which requests; patterns are as a shell's, and "" or "*" fit all.

    - `code`: refused with that HTTP code (409, 410, 429, 500, 503, ...), and `retry_after` seconds where it says so.
    - `delay`: answered that many seconds later.
    - `lost`: carried out, but the connection breaks before the answer.
    - `cut`: a watch ends that many seconds after it began.

    `times` is how often it strikes (None: always), `probability` how likely each time; `struck` counts.
    """

    agent: str = "*"
    verb: str = "*"
    resource: str = "*"
    namespace: str = "*"
    name: str = "*"
    code: int = 0
    retry_after: int = 1
    delay: float = 0.0
    lost: bool = False
    cut: float | None = None
    times: int | None = None
    probability: float = 1.0
    struck: int = field(default=0, init=False)

    def fits(self, request: requests.Request) -> bool:
        if not matches(request.header("user-agent"), self.agent):
            return False
        if self.verb == self.resource == self.namespace == self.name == "*":
            return True
        about = requests.parse(request.method, request.path, bool(request.raw_query) and request.flag("watch"))
        pairs = (
            (about.verb, self.verb),
            (about.resource, self.resource),
            (about.namespace, self.namespace),
            (about.name, self.name),
        )
        return all(matches(value, pattern) for value, pattern in pairs)


def matches(value: str, pattern: str) -> bool:
    return pattern in ("", "*") or fnmatch.fnmatchcase(value, pattern)


class Faults:
    """The faults that are on. `around` goes around an API server's chain."""

    def __init__(self, *, clock: clocks.Clock, chance: chances.Chance) -> None:
        self._clock, self._chance = clock, chance
        self.active: list[Fault] = []

    def around(self, handler: results.Handler) -> results.Handler:
        async def handle(request: requests.Request) -> results.Result:
            striking = [fault for fault in self.active if self._strikes(fault, request)]
            for fault in striking:
                if fault.delay:
                    await self._clock.sleep(fault.delay)
                if fault.code:
                    raise refusal(fault)
            result = await handler(request)
            for fault in striking:
                if fault.lost:
                    raise ConnectionResetError("the connection was cut before the answer")
                if fault.cut is not None and isinstance(result, results.Watched):
                    result = msgspec.structs.replace(result, timeout=fault.cut)
            return result

        return handle

    def _strikes(self, fault: Fault, request: requests.Request) -> bool:
        if fault.times is not None and fault.struck >= fault.times:
            return False
        if not fault.fits(request):
            return False
        if fault.probability < 1.0 and self._chance.uniform(0.0, 1.0) >= fault.probability:
            return False
        fault.struck += 1
        return True


def refusal(fault: Fault) -> errors.StatusError:
    """The answer of a fault with a code."""
    reason = _REASONS.get(fault.code, "")
    message = f"injected: {http.HTTPStatus(fault.code).phrase}"
    wait = fault.retry_after if fault.code in (429, 503) else 0
    return errors.error(fault.code, reason, message, retry_after=wait)
