"""What moves in the queue, counted under upstream's names."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterator, Mapping

from pybernetes.kits import prometheus

# Where pods go in the queue.
ACTIVE, BACKOFF, UNSCHEDULABLE = "active", "backoff", "unschedulable"
# What moves them, besides what happens in the cluster.
ADDED, UPDATED = "UnschedulablePodAdd", "UnschedulablePodUpdate"
FAILED = "ScheduleAttemptFailure"
BACKOFF_OVER, HURRIED = "BackoffComplete", "PopFromBackoffQ"
RELEASED = "ForceActivate"
TIMED_OUT = "UnschedulableTimeout"
POPPED = "PodPopped"


class Moves:
    """`incoming` are pods by where they went and what moved them; `turned_down` are pods that wait by the plugins that
    turned them down, each with the pod's schedulerName; `flushed` are those that were placed once they had waited too
    long for anything to help them."""

    def __init__(self) -> None:
        self.incoming: collections.Counter[tuple[str, str]] = collections.Counter()
        self.turned_down: collections.Counter[tuple[str, str]] = collections.Counter()
        self.flushed = 0

    def blame(self, plugins: Collection[str], scheduler: str, pods: int) -> None:
        """These plugins turned down one pod more, or, with -1, less."""
        for name in plugins:
            self.turned_down[name, scheduler] += pods

    def families(self, events: Mapping[str, int]) -> Iterator[prometheus.Family]:
        """`events` is how many are remembered for pods that are being tried, by label."""
        yield prometheus.Family(
            "scheduler_queue_incoming_pods_total",
            prometheus.COUNTER,
            "Number of pods added to scheduling queues by event and queue type.",
            [({"queue": queue, "event": event}, number) for (queue, event), number in self.incoming.items()],
        )
        yield prometheus.Family(
            "scheduler_unschedulable_pods",
            prometheus.GAUGE,
            "The number of unschedulable pods broken down by plugin name. A pod will increment the gauge for all "
            "plugins that caused it to not schedule and so this metric have meaning only when broken down by plugin.",
            [({"plugin": name, "profile": profile}, number) for (name, profile), number in self.turned_down.items()],
        )
        yield prometheus.Family(
            "scheduler_pod_scheduled_after_flush_total",
            prometheus.COUNTER,
            "Number of pods that were successfully scheduled after being flushed from unschedulablePods due to "
            "timeout. This metric helps detect potential queueing hint misconfigurations or event handling issues.",
            [({}, self.flushed)],
        )
        yield prometheus.Family(
            "scheduler_inflight_events",
            prometheus.GAUGE,
            "Number of events currently tracked in the scheduling queue.",
            [({"event": event}, number) for event, number in events.items()],
        )
