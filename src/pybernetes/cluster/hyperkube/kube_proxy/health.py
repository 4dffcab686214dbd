"""What load balancers ask a node's proxy: whether traffic that is sent here gets to where it should."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from pybernetes import proxy
from pybernetes.api import errors, times
from pybernetes.api.types import core_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.kits import clock as clocks

# Rules that lag behind by this are not healthy, in seconds; upstream's: twice the time between full syncs.
LATE = 60.0
LEAVING = "ToBeDeletedByClusterAutoscaler"


def is_eligible(node: core_v1.Node | None) -> bool:
    """A node that is about to go takes no new connections, and nor does one that is not there."""
    if node is None or node.metadata.deletionTimestamp is not None:
        return False
    return all(taint.key != LEAVING for taint in node.spec.taints)


class Health:
    """Answers /healthz and /livez; `running` is the proxy as it is now, `node` its own one."""

    def __init__(
        self,
        running: Callable[[], proxy.Proxy | None],
        node: Callable[[], core_v1.Node | None],
        clock: clocks.Clock,
    ) -> None:
        self._running, self._node, self._clock = running, node, clock

    async def answer(self, request: requests.Request) -> results.Result:
        """503 when rules have lagged behind for too long; at /healthz, also if the node is about to go."""
        if request.path not in ("/healthz", "/livez"):
            raise errors.path_not_found()
        running, now = self._running(), self._clock.time()
        since = None if running is None else running.waiting_since
        updated = 0.0 if running is None else running.updated
        healthy = bool(updated) and (since is None or now - since < LATE)
        eligible = is_eligible(self._node())
        said = {
            "lastUpdated": times.to_time(updated) if updated else "0001-01-01T00:00:00Z",
            "currentTime": times.to_time(now),
            "nodeEligible": eligible,
        }
        if request.path == "/livez":
            del said["nodeEligible"]
            eligible = True
        code = 200 if healthy and eligible else 503
        return results.Document(msgspec.json.encode(said), code=code)
