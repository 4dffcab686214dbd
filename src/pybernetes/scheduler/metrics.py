"""What the scheduler counts, under upstream's names."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Mapping

from pybernetes.api.types import resource_v1
from pybernetes.kits import prometheus

ATTEMPT = prometheus.exponential(0.001, 2, 15)
SLI = prometheus.exponential(0.01, 2, 20)
ATTEMPTS = prometheus.exponential(1, 2, 5)
VICTIMS = prometheus.exponential(1, 2, 7)
DEVICES = prometheus.exponential(0.1, 2, 14)
# From so many attempts on, pods are not told apart by them.
MANY = 15
SCHEDULED, UNSCHEDULABLE, ERROR = "scheduled", "unschedulable", "error"


class Metrics:
    """Durations are in seconds."""

    def __init__(self) -> None:
        self._attempts: dict[tuple[str, str], prometheus.Histogram] = {}
        self._sli: dict[str, prometheus.Histogram] = {}
        self._needed = prometheus.Histogram(ATTEMPTS)
        self._algorithm = prometheus.Histogram(ATTEMPT)
        self._victims = prometheus.Histogram(VICTIMS)
        self._preemptions = 0
        self._permits: dict[str, prometheus.Histogram] = {}
        self._claims: collections.Counter[str] = collections.Counter()
        # By profile, driver and outcome.
        self._devices: collections.Counter[tuple[str, str, str]] = collections.Counter()
        self._devices_waited: dict[tuple[str, str, str], prometheus.Histogram] = {}

    def permitted(self, result: str, seconds: float) -> None:
        """A pod waited for so long until it was permitted, or refused."""
        timed = self._permits.get(result)
        if timed is None:
            timed = self._permits[result] = prometheus.Histogram(ATTEMPT)
        timed.observe(seconds)

    def claim_created(self, status: str) -> None:
        self._claims[status] += 1

    def decided(self, seconds: float) -> None:
        """A node was chosen, or found that there is none."""
        self._algorithm.observe(seconds)

    def attempted(self, result: str, profile: str, seconds: float) -> None:
        """An attempt has come to its result: SCHEDULED (and bound), UNSCHEDULABLE or ERROR."""
        timed = self._attempts.get((result, profile))
        if timed is None:
            timed = self._attempts[result, profile] = prometheus.Histogram(ATTEMPT)
        timed.observe(seconds)

    def scheduled(self, attempts: int, seconds: float) -> None:
        """A pod is bound, after so many attempts and so long."""
        self._needed.observe(attempts)
        label = str(attempts) if attempts < MANY else f"{MANY}+"
        timed = self._sli.get(label)
        if timed is None:
            timed = self._sli[label] = prometheus.Histogram(SLI)
        timed.observe(seconds)

    def preempting(self) -> None:
        """Room is looked for where others are."""
        self._preemptions += 1

    def preempted(self, victims: int) -> None:
        """So many are removed for a pod."""
        self._victims.observe(victims)

    def waited_for_devices(
        self, profile: str, claims: Iterable[resource_v1.ResourceClaim], outcome: str, seconds: float
    ) -> None:
        """The devices of these claims, of which some have conditions, came to be ready or did not."""
        for claim in claims:
            for one in claim.status.allocation.devices.results if claim.status.allocation is not None else ():
                key = profile, one.driver, outcome
                timed = self._devices_waited.get(key)
                if timed is None:
                    timed = self._devices_waited[key] = prometheus.Histogram(DEVICES)
                timed.observe(seconds)
                if one.bindingConditions:
                    self._devices[key] += 1

    def families(self, pending: Mapping[str, int]) -> Iterator[prometheus.Family]:
        """`pending` is how many pods wait, by where."""
        attempts = [
            ({"profile": profile, "result": result}, timed) for (result, profile), timed in self._attempts.items()
        ]
        yield prometheus.Family(
            "scheduler_schedule_attempts_total",
            prometheus.COUNTER,
            "Number of attempts to schedule pods, by the result.",
            [(labels, sum(timed.counts)) for labels, timed in attempts],
        )
        yield prometheus.Family(
            "scheduler_scheduling_attempt_duration_seconds",
            prometheus.HISTOGRAM,
            "Scheduling attempt latency in seconds (scheduling algorithm + binding)",
            attempts,
        )
        yield prometheus.Family(
            "scheduler_scheduling_algorithm_duration_seconds",
            prometheus.HISTOGRAM,
            "Scheduling algorithm latency in seconds",
            [({}, self._algorithm)],
        )
        yield prometheus.Family(
            "scheduler_pod_scheduling_sli_duration_seconds",
            prometheus.HISTOGRAM,
            "E2e latency for a pod being scheduled, from the time the pod enters the scheduling queue and might "
            "involve multiple scheduling attempts.",
            [({"attempts": label}, timed) for label, timed in self._sli.items()],
        )
        yield prometheus.Family(
            "scheduler_pod_scheduling_attempts",
            prometheus.HISTOGRAM,
            "Number of attempts to successfully schedule a pod.",
            [({}, self._needed)],
        )
        yield prometheus.Family(
            "scheduler_pending_pods",
            prometheus.GAUGE,
            "Number of pending pods, by the queue type.",
            [({"queue": queue}, count) for queue, count in pending.items()],
        )
        yield prometheus.Family(
            "scheduler_preemption_attempts_total",
            prometheus.COUNTER,
            "Total preemption attempts in the cluster till now",
            [({}, self._preemptions)],
        )
        yield prometheus.Family(
            "scheduler_preemption_victims",
            prometheus.HISTOGRAM,
            "Number of selected preemption victims",
            [({}, self._victims)],
        )
        yield prometheus.Family(
            "scheduler_permit_wait_duration_seconds",
            prometheus.HISTOGRAM,
            "Duration of waiting on permit.",
            [({"result": result}, timed) for result, timed in self._permits.items()],
        )
        yield prometheus.Family(
            "scheduler_resourceclaim_creates_total",
            prometheus.COUNTER,
            "Number of ResourceClaims creation requests within scheduler",
            [({"status": status}, number) for status, number in self._claims.items()],
        )
        yield prometheus.Family(
            "scheduler_dra_bindingconditions_allocations_total",
            prometheus.COUNTER,
            "Number of allocations using devices with BindingConditions, counted per driver per scheduling attempt",
            [(_about_devices(key), count) for key, count in self._devices.items()],
        )
        yield prometheus.Family(
            "scheduler_dra_bindingconditions_wait_duration_seconds",
            prometheus.HISTOGRAM,
            "Time in seconds spent waiting for BindingConditions to be satisfied during PreBind.",
            [(_about_devices(key), timed) for key, timed in self._devices_waited.items()],
        )


def _about_devices(key: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("profile", "driver", "status"), key, strict=True))
