"""What calls of webhooks come to, and the counts of that."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

from pybernetes.api import errors
from pybernetes.apiserver.admission.webhooks import reviews
from pybernetes.kits import prometheus

# In seconds.
BOUNDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0)
# Codes are the webhooks' to choose: above this they are all one.
HIGHEST = 600


class CallError(Exception):
    """A webhook could not be asked, or gave no answer: its failure policy decides. `code` is that of an HTTP answer."""

    def __init__(self, why: str, code: int = 503) -> None:
        super().__init__(why)
        self.code = code


class Calls:
    """Of webhooks of one type, `admit` or `validating`. `now` is a clock's monotonic time."""

    def __init__(self, type_: str, now: Callable[[], float]) -> None:
        self._type = type_
        self._now = now
        # By name, operation and whether it was rejected; by name, operation, code and that.
        self._timed: dict[tuple[str, str, bool], prometheus.Histogram] = {}
        self._asked: Counter[tuple[str, str, int, bool]] = Counter()
        # By name, operation, what was wrong and the code.
        self._rejected: Counter[tuple[str, str, str, int]] = Counter()
        self._failed_open: Counter[str] = Counter()

    @contextlib.contextmanager
    def counting(self, name: str, operation: str, *, ignores: bool) -> Iterator[None]:
        """Around a call and what is made of its answer; `ignores` says whether a CallError lets the request pass."""
        began = self._now()
        try:
            yield
        except CallError as error:
            if ignores:
                self._failed_open[name] += 1
            else:
                self._reject(name, operation, "calling_webhook_error", error.code)
            self._count(name, operation, error.code, not ignores, began)
            raise
        except reviews.Denial as error:
            self._reject(name, operation, "no_error", error.code)
            self._count(name, operation, error.code, True, began)
            raise
        except errors.StatusError:
            self._reject(name, operation, "apiserver_internal_error", 0)
            self._count(name, operation, 0, True, began)
            raise
        else:
            self._count(name, operation, 200, False, began)

    def families(self) -> Iterator[prometheus.Family]:
        """For /metrics."""
        yield prometheus.Family(
            "apiserver_admission_webhook_admission_duration_seconds",
            prometheus.HISTOGRAM,
            "Admission webhook latency histogram in seconds, identified by name and broken out for each operation and "
            "API resource and type (validate or admit).",
            [
                (self._labels(name, operation) | {"rejected": str(rejected).lower()}, timed)
                for (name, operation, rejected), timed in self._timed.items()
            ],
        )
        yield prometheus.Family(
            "apiserver_admission_webhook_request_total",
            prometheus.COUNTER,
            "Admission webhook request total, identified by name and broken out for each admission type (validating or "
            "admit) and operation. Additional labels specify whether the request was rejected or not and an HTTP "
            "status code. Codes greater than 600 are truncated to 600, to keep the metrics cardinality bounded.",
            [
                (self._labels(name, operation) | {"code": str(code), "rejected": str(rejected).lower()}, number)
                for (name, operation, code, rejected), number in self._asked.items()
            ],
        )
        yield prometheus.Family(
            "apiserver_admission_webhook_rejection_count",
            prometheus.COUNTER,
            "Admission webhook rejection count, identified by name and broken out for each admission type (validating "
            "or admit) and operation. Additional labels specify an error type (calling_webhook_error or "
            "apiserver_internal_error if an error occurred; no_error otherwise) and optionally a non-zero rejection "
            "code if the webhook rejects the request with an HTTP status code (honored by the apiserver when the code "
            "is greater or equal to 400). Codes greater than 600 are truncated to 600, to keep the metrics cardinality "
            "bounded.",
            [
                (self._labels(name, operation) | {"error_type": problem, "rejection_code": str(code)}, number)
                for (name, operation, problem, code), number in self._rejected.items()
            ],
        )
        yield prometheus.Family(
            "apiserver_admission_webhook_fail_open_count",
            prometheus.COUNTER,
            "Admission webhook fail open count, identified by name and broken out for each admission type (validating "
            "or admit).",
            [({"name": name, "type": self._type}, number) for name, number in self._failed_open.items()],
        )

    # -- inside

    def _labels(self, name: str, operation: str) -> dict[str, str]:
        return {"name": name, "operation": operation, "type": self._type}

    def _reject(self, name: str, operation: str, problem: str, code: int) -> None:
        self._rejected[name, operation, problem, min(code, HIGHEST)] += 1

    def _count(self, name: str, operation: str, code: int, rejected: bool, began: float) -> None:
        self._asked[name, operation, min(code, HIGHEST), rejected] += 1
        at = (name, operation, rejected)
        timed = self._timed.get(at)
        if timed is None:
            timed = self._timed[at] = prometheus.Histogram(BOUNDS)
        timed.observe(self._now() - began)
