"""What policies came to, counted under upstream's names."""

from __future__ import annotations

from collections.abc import Iterator

from pybernetes.kits import prometheus

# Of one expression, in seconds.
BOUNDS = (0.0000005, 0.001, 0.01, 0.1, 1.0)
NO_ERROR = "no_error"


def kind_of(problem: str) -> str:
    """The kind of what is said of an expression; one that does not hold counts as upstream counts it."""
    if problem.startswith("compilation"):
        return "compile_error"
    if problem.startswith("validation failed due to running out of cost budget"):
        return "out_of_budget"
    return "invalid_error"


class Checks:
    """Of policies of one type: `validating`, whose checks have an enforcement action, or `mutating`."""

    def __init__(self, type_: str) -> None:
        self._type = type_
        # By policy, binding, kind of error and action.
        self._timed: dict[tuple[str, str, str, str], prometheus.Histogram] = {}

    def observe(self, policy: str, binding: str, seconds: float, *, error: str, action: str = "") -> None:
        at = (policy, binding, error, action)
        timed = self._timed.get(at)
        if timed is None:
            timed = self._timed[at] = prometheus.Histogram(BOUNDS)
        timed.observe(seconds)

    def families(self) -> Iterator[prometheus.Family]:
        """For /metrics."""
        validates = self._type == "validating"
        samples = []
        for (policy, binding, error, action), timed in self._timed.items():
            labels = {"policy": policy, "policy_binding": binding, "error_type": error}
            samples.append((labels | {"enforcement_action": action} if validates else labels, timed))
        what = "Validation" if validates else "Mutation"
        noun = "validation" if validates else "mutation"
        by = "labeled by policy and further identified by binding"
        also = "labeled by policy and further including binding" if validates else "labeled by policy and binding"
        taken = " and enforcement action taken" if validates else ""
        yield prometheus.Family(
            f"apiserver_{self._type}_admission_policy_check_total",
            prometheus.COUNTER,
            f"{what} admission policy check total, {by}{taken}.",
            [(labels, sum(timed.counts)) for labels, timed in samples],
        )
        yield prometheus.Family(
            f"apiserver_{self._type}_admission_policy_check_duration_seconds",
            prometheus.HISTOGRAM,
            f"{what} admission latency for individual {noun} expressions in seconds, {also}{taken}.",
            samples,
        )
