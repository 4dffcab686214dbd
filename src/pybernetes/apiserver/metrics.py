"""/metrics in the Prometheus text format, under upstream's metric names; and what counts the requests.

What is counted of a request costs less than a microsecond: one lookup of its series, and a bisection of the bounds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Iterator

from pybernetes.api import scheme
from pybernetes.apiserver import durations, results
from pybernetes.apiserver import request as requests
from pybernetes.kits import clock as clocks
from pybernetes.kits import prometheus

# Of answers, in bytes.
SIZES = prometheus.exponential(1000, 10, 7)
REMEMBERED = 20_000
READS = ("get", "list", "watch")
UNKNOWN = ("", "", "", "")
# What the endpoints do by what others call it; the rest is as the HTTP methods are.
VERBS = {"create": "POST", "update": "PUT"}
# Subresources that connect to something else.
CONNECTED = ("attach", "exec", "log", "portforward", "proxy")

# verb, group, version, resource, subresource, whether a name and a namespace are said, dryRun.
Key = tuple[str, str, str, str, str, bool, bool, str]


class Running:
    """How many requests of one kind are being answered."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class _Series:
    """Requests that are alike in all labels."""

    __slots__ = ("codes", "labels", "lasting", "lasts", "less", "sizes", "timed")

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        self.codes: dict[int, int] = {}
        self.timed = durations.histogram()
        # What there is to add to that so that it is without what others took: nearly always nothing.
        self.less: prometheus.Histogram | None = None
        self.sizes: prometheus.Histogram | None = None
        self.lasts = False
        self.lasting = 0

    def keep(self, place: int, seconds: float, kept: float) -> None:
        """Of a request that was counted with so many seconds at that place, others took so many."""
        if self.less is None:
            self.less = durations.histogram()
        own = max(seconds - kept, 0.0)
        self.less.counts[place] -= 1
        self.less.sum -= seconds
        self.less.observe(own)

    def own(self) -> prometheus.Histogram:
        """What the requests took without what others did."""
        found = self.timed.by(durations.ALL)
        if self.less is not None:
            found.add(self.less)
        return found.by(durations.SERVICE)


class Metrics:
    """`more` gives what is counted elsewhere; `served` is what is counted by its name, `custom(group, version,
    resource)` whether something else is as well.

    Paths are the clients' to choose: counting each would let anybody fill the memory.
    """

    def __init__(
        self,
        more: Callable[[], Iterable[prometheus.Family]],
        served: Iterable[scheme.Resource] = (),
        *,
        custom: Callable[[str, str, str], object] = lambda group, version, resource: None,
        clock: clocks.Clock,
    ) -> None:
        self._more = more
        self._served = {(r.group, r.version, *_halves(r.name)) for r in served}
        self._custom = custom
        self._series: dict[Key, _Series] = {}
        self._recent: dict[requests.Attributes, _Series] = {}
        self._started = clock.time()
        self.now = clock.monotonic
        self._reading, self._writing = Running(), Running()

    def running(self, request: requests.Request) -> Running:
        """Where the request is counted while it is answered."""
        return self._reading if request.attributes.verb in READS else self._writing

    async def keeping(self, request: requests.Request, waiting: Awaitable[None]) -> None:
        """Wait for something that is not counted as the request's own time."""
        began = self.now()
        try:
            await waiting
        finally:
            request.keep(self.now() - began)

    def count(
        self, request: requests.Request, code: int, began: float, executed: prometheus.Histogram | None = None
    ) -> None:
        """The request has come to something; `executed` is where else it is to be timed."""
        series = self._recent.get(request.attributes) or self._of(request)
        codes, timed = series.codes, series.timed
        codes[code] = codes.get(code, 0) + 1
        # As `Histogram.observe`, which is a call more.
        seconds = self.now() - began
        place = bisect_left(durations.ALL, seconds)
        timed.counts[place] += 1
        timed.sum += seconds
        if executed is not None:
            executed.counts[place] += 1
            executed.sum += seconds
        if request.kept:
            series.keep(place, seconds, request.kept)

    def last(
        self, request: requests.Request, code: int, began: float, executed: prometheus.Histogram | None = None
    ) -> None:
        """The request goes on for as long as its client likes, and is timed when it has come to its end; `executed`
        is told how long it took to begin."""
        series = self._of(request)
        if executed is not None:
            executed.observe(self.now() - began)
        series.codes[code] = series.codes.get(code, 0) + 1
        series.lasts = True
        series.lasting += 1
        before = request.finished

        def finished() -> None:
            series.lasting -= 1
            series.timed.observe(self.now() - began)
            if before is not None:
                before()

        request.finished = finished

    def sizes(self, request: requests.Request) -> Callable[[int], None]:
        """What is to be told how large the answer is."""
        series = self._recent.get(request.attributes) or self._of(request)
        if series.sizes is None:
            series.sizes = prometheus.Histogram(SIZES)
        return series.sizes.observe

    def document(self) -> results.Document:
        families = (*self._requests(), *self._more(), *prometheus.process(self._started))
        return results.Document(prometheus.text(families).encode(), prometheus.CONTENT_TYPE)

    # -- inside

    def _of(self, request: requests.Request) -> _Series:
        at = request.attributes
        verb = at.verb
        if verb == "patch" and "apply-patch" in request.header("content-type"):
            verb = "apply"
        dry_run = _dry_run(request) if "dryRun" in request.raw_query else ""
        key = (verb, at.group, at.version, at.resource, at.subresource, not at.name, not at.namespace, dry_run)
        found = self._series.get(key)
        if found is None:
            if not self._is_served(at):
                key = (verb, *UNKNOWN, True, True, dry_run)
            found = self._series.get(key)
            if found is None:
                found = self._series[key] = _Series(_labels(key))
        if verb in READS and not dry_run:
            # Most requests are reads of what was read before.
            if len(self._recent) >= REMEMBERED:
                self._recent.clear()
            self._recent[at] = found
        return found

    def _is_served(self, at: requests.Attributes) -> bool:
        if (at.group, at.version, at.resource, at.subresource) in self._served:
            return True
        known = at.subresource in ("", "status", "scale")
        return known and self._custom(at.group, at.version, at.resource) is not None

    def _requests(self) -> Iterator[prometheus.Family]:
        ordered = [self._series[key] for key in sorted(self._series)]
        yield prometheus.Family(
            "apiserver_request_total",
            prometheus.COUNTER,
            "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, "
            "component, and HTTP response code.",
            [
                ({"code": str(code), **one.labels}, count)
                for one in ordered
                for code, count in sorted(one.codes.items())
            ],
        )
        yield prometheus.Family(
            "apiserver_request_duration_seconds",
            prometheus.HISTOGRAM,
            "Response latency distribution in seconds for each verb, dry run value, group, version, resource, "
            "subresource, scope and component.",
            [(one.labels, one.timed.by(durations.REQUEST)) for one in ordered],
        )
        yield from _alike(
            "apiserver_request_sli_duration_seconds",
            "Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in "
            "seconds for each verb, group, version, resource, subresource, scope and component.",
            [(one.labels, one.own()) for one in ordered if not one.labels["dry_run"]],
        )
        yield from _alike(
            "apiserver_response_sizes",
            "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and "
            "component.",
            [(one.labels, one.sizes) for one in ordered if one.sizes is not None],
        )
        yield prometheus.Family(
            "apiserver_longrunning_requests",
            prometheus.GAUGE,
            "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope "
            "and component.",
            [(one.labels, one.lasting) for one in ordered if one.lasts],
        )
        yield prometheus.Family(
            "apiserver_current_inflight_requests",
            prometheus.GAUGE,
            "Number of requests that are being answered now, by their kind.",
            [
                ({"request_kind": kind}, running.count)
                for kind, running in (("mutating", self._writing), ("readOnly", self._reading))
            ],
        )
        # Every request is asked who sends it, and a 401 says that the answer was not good.
        refused = sum(one.codes.get(401, 0) for one in ordered)
        total = sum(sum(one.codes.values()) for one in ordered)
        yield prometheus.Family(
            "authentication_attempts",
            prometheus.COUNTER,
            "Counter of authenticated attempts.",
            [({"result": "success"}, total - refused), ({"result": "failure"}, refused)],
        )


def _alike(
    name: str, help_: str, samples: Iterable[tuple[dict[str, str], prometheus.Histogram]]
) -> Iterator[prometheus.Family]:
    """A family without the label of dry runs."""
    shown = [({key: value for key, value in labels.items() if key != "dry_run"}, timed) for labels, timed in samples]
    yield prometheus.Family(name, prometheus.HISTOGRAM, help_, shown)


def _labels(key: Key) -> dict[str, str]:
    verb, group, version, name, subresource, nameless, clusterwide, dry_run = key
    reported = VERBS.get(verb, verb.upper())
    if subresource in CONNECTED:
        reported = "CONNECT"
    if not nameless or verb == "create":
        scope = "resource"
    elif not clusterwide:
        scope = "namespace"
    else:
        scope = "cluster" if name else ""
    return {
        "component": "apiserver",
        "dry_run": dry_run,
        "group": group,
        "resource": name,
        "scope": scope,
        "subresource": subresource,
        "verb": reported,
        "version": version,
    }


def _dry_run(request: requests.Request) -> str:
    said = request.query.get("dryRun", "")
    return said if said in ("", "All") else "invalid"


def _halves(name: str) -> tuple[str, str]:
    resource, _, subresource = name.partition("/")
    return resource, subresource
