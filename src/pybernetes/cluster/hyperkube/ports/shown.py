"""What a component has to show of itself; its parts put in what they know when they come to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pybernetes.api import version
from pybernetes.apiserver import health
from pybernetes.kits import prometheus

Families = Callable[[], Iterable[prometheus.Family]]


class Shown:
    """`checks` are those of /healthz, /livez and /readyz, where these are served; `families` what else is counted;
    `config` makes /configz, `pages` other texts by path; `answered` is what the component's own clients count. One that
    `elects` tells whether it leads."""

    def __init__(self, name: str, *, readyz: bool = False, elects: bool = True) -> None:
        self.name, self._elects = name, elects
        ping: dict[str, health.Check] = {"ping": lambda: None}
        self.checks: dict[str, dict[str, health.Check]] = {"/healthz": dict(ping), "/livez": dict(ping)}
        if readyz:
            self.checks["/readyz"] = dict(ping)
        self.families: dict[str, Families] = {}
        self.config: Callable[[], Mapping[str, Any]] = dict
        self.pages: dict[str, Callable[[], str]] = {}
        self.answered: Counter[tuple[str, str, str]] = Counter()
        self.leads = False

    def metrics(self, started: float) -> str:
        """The text of /metrics; `started` is when the process was, in seconds since the epoch."""
        return prometheus.text(self._all(started))

    def _all(self, started: float) -> Iterator[prometheus.Family]:
        yield version.build_info()
        if self._elects:
            yield prometheus.Family(
                "leader_election_master_status",
                prometheus.GAUGE,
                "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates "
                "master.",
                [({"name": self.name}, int(self.leads))],
            )
        yield prometheus.Family(
            "rest_client_requests_total",
            prometheus.COUNTER,
            "Number of HTTP requests, partitioned by status code, method, and host.",
            [
                ({"code": code, "host": host, "method": method}, count)
                for (code, method, host), count in sorted(self.answered.items())
            ],
        )
        for families in self.families.values():
            yield from families()
        yield from prometheus.process(started)
