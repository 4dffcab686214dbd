"""/metrics in the Prometheus text format, under upstream's metric names."""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Callable, Iterable

from pybernetes.api import scheme
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


UNKNOWN = ("", "", "", "")


class Metrics:
    """`gauges` gives (name, labels text, value) of what is counted elsewhere, `more` whole lines; `served` is what is
    counted by its name.

    Paths are the clients' to choose: counting each would let anybody fill the memory.
    """

    def __init__(
        self,
        gauges: Callable[[], Iterable[tuple[str, str, float]]],
        served: Iterable[scheme.Resource] = (),
        *,
        more: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._gauges = gauges
        self._more = more
        self._served = {(r.group, r.version, *_halves(r.name)) for r in served}
        self._requests: Counter[tuple[str, str, str, str, str, int]] = Counter()

    def count(self, request: requests.Request, code: int) -> None:
        at = request.attributes
        key = (at.verb, at.group, at.version, at.resource, at.subresource, code)
        if key not in self._requests and key[1:5] not in self._served:
            key = (at.verb, *UNKNOWN, code)
        self._requests[key] += 1

    def document(self) -> results.Document:
        lines = [
            "# HELP apiserver_request_total Requests answered, by verb, resource and HTTP status code.",
            "# TYPE apiserver_request_total counter",
        ]
        for (verb, group, version, name, subresource, code), number in sorted(self._requests.items()):
            labels = (
                f'code="{code}",group="{group}",resource="{name}",subresource="{subresource}",'
                f'verb="{verb.upper()}",version="{version}"'
            )
            lines.append(f"apiserver_request_total{{{labels}}} {number}")
        known = set()
        for name, labels, value in self._gauges():
            if name not in known:
                known.add(name)
                lines.append(f"# TYPE {name} gauge")
            lines.append(f"{name}{{{labels}}} {value:g}" if labels else f"{name} {value:g}")
        lines += self._more()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        lines.append("# TYPE process_cpu_seconds_total counter")
        lines.append(f"process_cpu_seconds_total {usage.ru_utime + usage.ru_stime:.3f}")
        lines.append("# TYPE process_resident_memory_bytes gauge")
        lines.append(f"process_resident_memory_bytes {_resident_bytes()}")
        return results.Document(("\n".join(lines) + "\n").encode(), CONTENT_TYPE)


def _halves(name: str) -> tuple[str, str]:
    resource, _, subresource = name.partition("/")
    return resource, subresource


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
