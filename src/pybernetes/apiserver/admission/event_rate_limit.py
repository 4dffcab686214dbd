"""EventRateLimit: so many events in a second of the server, a namespace, a user, or of one source about one object."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from pybernetes.api import codecs, errors, wording
from pybernetes.apiserver.admission import hosts, plugin
from pybernetes.kits import clock as clocks

_KEYS = 4096


class EventRateLimit(plugin.Plugin):
    name = "EventRateLimit"
    operations = (plugin.CREATE, plugin.UPDATE)
    resources = ("events", "events.events.k8s.io")

    def __init__(self, host: hosts.Host) -> None:
        given = host.configuration.get(self.name) or {}
        self._limits = [_Limit(one, host.clock) for one in given.get("limits") or ()]

    async def validate(self, attributes: plugin.Attributes) -> None:
        if attributes.dry_run:
            return
        reached = [why for limit in self._limits if (why := limit.reached(attributes))]
        if reached:
            raise errors.too_many_requests(wording.aggregate(reached))


class _Limit:
    """Token buckets by keys, of which those used last are kept."""

    def __init__(self, given: Mapping[str, Any], clock: clocks.Clock) -> None:
        self._kind = given.get("type", "")
        self._rate = float(given.get("qps") or 0)
        self._burst = float(given.get("burst") or 0)
        self._most = int(given.get("cacheSize") or _KEYS)
        self._clock = clock
        # Key -> what is left, and since when.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def reached(self, attributes: plugin.Attributes) -> str:
        """Take one; or say why there is none."""
        key = _KEY_OF[self._kind](attributes)
        now = self._clock.monotonic()
        left, since = self._left.pop(key, (self._burst, now))
        left = min(left + (now - since) * self._rate, self._burst)
        self._left[key] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return "" if left >= 1 else f"limit reached on type {self._kind} for key {key}"


def _source_and_object(attributes: plugin.Attributes) -> str:
    event = codecs.to_tree(attributes.obj)
    source = event.get("source") or event.get("deprecatedSource") or {}
    about = event.get("involvedObject") or event.get("regarding") or {}
    parts = [source.get(name, "") for name in ("component", "host")]
    parts += [about.get(name, "") for name in ("kind", "namespace", "name", "uid", "apiVersion")]
    return "".join(parts)


_KEY_OF: dict[str, Callable[[plugin.Attributes], str]] = {
    "Server": lambda _: "",
    "Namespace": lambda attributes: attributes.namespace,
    "User": lambda attributes: attributes.user.name,
    "SourceAndObject": _source_and_object,
}
TYPES = tuple(_KEY_OF)
