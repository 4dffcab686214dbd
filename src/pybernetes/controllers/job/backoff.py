"""How long after failures a Job waits before it makes pods again, by the times at which its pods finished."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.controllers import pods
from pybernetes.controllers.job import indexes

FIRST, LAST = 10.0, 600.0
# So many doublings are past the last back-off; more of them would in the end be more than a float can hold.
DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often pods failed since the last success, and when the last one did (epoch seconds).

    `known` are the failed pods (uids) among them that are still there: they are shown again until they lose their
    finalizers, and may not be counted twice.
    """

    failures: int = 0
    last: float = 0.0
    known: frozenset[str] = field(default=frozenset(), compare=False)

    def after(self, succeeded: list[core_v1.Pod], failed: list[core_v1.Pod]) -> Backoff:
        """With what finished since. Failures before a success are forgiven."""
        shown = frozenset(pod.metadata.uid for pod in failed)
        if not succeeded:
            ends = sorted(finished_at(pod) for pod in failed if pod.metadata.uid not in self.known)
            return Backoff(self.failures + len(ends), ends[-1] if ends else self.last, shown)
        ends = sorted(map(finished_at, failed))
        success = max(map(finished_at, succeeded))
        later = [end for end in ends if end > success]
        return Backoff(len(later), later[-1], shown) if later else Backoff(known=shown)

    def left(self, now: float) -> float:
        """Seconds still to wait."""
        if not self.failures:
            return 0.0
        delay = min(FIRST * 2.0 ** min(self.failures - 1, DOUBLINGS), LAST)
        return max(self.last + delay - now, 0.0)


def of_index(last: core_v1.Pod | None) -> Backoff:
    """The back-off of one index, whose last failed pod carries the number of failures before it."""
    if last is None:
        return Backoff()
    return Backoff(absolute_failures(last) + 1, finished_at(last))


def absolute_failures(pod: core_v1.Pod) -> int:
    """Failures of the pod's index before it, those that a policy ignored included."""
    return indexes.failures_of(pod) + indexes.ignored_failures_of(pod)


def finished_at(pod: core_v1.Pod) -> float:
    """When a pod finished (epoch seconds): when its last container did; where that is not told, when it became
    unready; where it was deleted by somebody, when that was asked for; when it was made, if nothing else is known."""
    ended = _containers_finished_at(pod)
    if ended is not None:
        return ended
    ready = pods.condition(pod, "Ready")
    if ready is not None and ready.status == "False" and ready.lastTransitionTime:
        return times.parse(ready.lastTransitionTime)
    meta = pod.metadata
    if meta.deletionTimestamp is not None:
        return times.parse(meta.deletionTimestamp) - (meta.deletionGracePeriodSeconds or 0)
    return times.parse(meta.creationTimestamp) if meta.creationTimestamp else 0.0


def _containers_finished_at(pod: core_v1.Pod) -> float | None:
    """When the last container ended; None: one has not, or there are none. Sidecars end after the others."""
    sidecars = {container.name for container in pod.spec.initContainers if container.restartPolicy == "Always"}
    beside = [status for status in pod.status.initContainerStatuses if status.name in sidecars]
    return _latest((*pod.status.containerStatuses, *beside))


def _latest(statuses: Iterable[core_v1.ContainerStatus]) -> float | None:
    latest: float | None = None
    for status in statuses:
        ended = status.state.terminated
        if ended is None or not ended.finishedAt:
            return None
        latest = max(latest or 0.0, times.parse(ended.finishedAt))
    return latest
