"""Services outside that have a say in placement: asked over HTTP to filter, to prioritise, to bind, and about victims.

They speak JSON with the field names of Go's structs; what they answer is read whatever its case, as Go reads it.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pybernetes.api import codecs, times
from pybernetes.api.types import core_v1
from pybernetes.kits.clock import Clock
from pybernetes.scheduler import configuration, preemption

if TYPE_CHECKING:
    import aiohttp

# What plugins are called that stand for extenders in a pod's history.
NAME = "Extender"
# Extenders give 0..10; a plugin's 100 is their 10.
SCALE = 10
TIMEOUT_SECONDS = 5.0


class ExtenderError(Exception):
    """An extender cannot be asked, or refuses."""


class Filtered(NamedTuple):
    """The nodes left, and why others are not; `hopeless` ones would not do without other pods either."""

    nodes: list[str]
    failed: dict[str, str]
    hopeless: dict[str, str]


class Extender:
    """One extender; sessions are made when first needed."""

    def __init__(self, given: configuration.Extender, clock: Clock) -> None:
        self._given, self._clock = given, clock
        self._managed = frozenset(resource.name for resource in given.managedResources)
        self._timeout = times.duration(given.httpTimeout) or TIMEOUT_SECONDS
        self._session: aiohttp.ClientSession | None = None
        self.name = given.urlPrefix
        self.ignorable = given.ignorable
        self.binds = bool(given.bindVerb)
        self.preempts = bool(given.preemptVerb)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def wants(self, pod: core_v1.Pod) -> bool:
        """Whether it is to be asked about a pod: it manages everything, or a resource of the pod."""
        if not self._managed:
            return True
        containers = (*pod.spec.containers, *pod.spec.initContainers)
        return any(self._managed & {*c.resources.requests, *c.resources.limits} for c in containers)

    async def filter(self, pod: core_v1.Pod, nodes: Mapping[str, core_v1.Node]) -> Filtered:
        """Raises ExtenderError."""
        if not self._given.filterVerb:
            return Filtered(list(nodes), {}, {})
        told = await self._send(self._given.filterVerb, self._about(pod, nodes))
        if told.get("error"):
            raise ExtenderError(str(told["error"]))
        failed = {str(name): str(reason) for name, reason in (told.get("failednodes") or {}).items()}
        hopeless = {str(name): str(reason) for name, reason in (told.get("failedandunresolvablenodes") or {}).items()}
        left: list[str] = []
        if self._given.nodeCacheCapable and told.get("nodenames") is not None:
            left = [str(name) for name in told["nodenames"]]
        elif told.get("nodes") is not None:
            left = [item["metadata"]["name"] for item in _lower(told["nodes"]).get("items") or []]
        for name in left:
            if name not in nodes:
                text = (
                    f"claims a filtered node {codecs.encode(name).decode()} which is not found in the input node list"
                )
                raise ExtenderError(f'extender "{self.name}" {text}')
        return Filtered(left, failed, hopeless)

    async def prioritize(self, pod: core_v1.Pod, nodes: Mapping[str, core_v1.Node]) -> dict[str, int]:
        """Scores to be added to those of the plugins. Raises ExtenderError."""
        if not self._given.prioritizeVerb:
            return {}
        told = await self._send(self._given.prioritizeVerb, self._about(pod, nodes))
        scores = [_lower(one) for one in told] if isinstance(told, list) else []
        return {str(one["host"]): int(one["score"]) * self._given.weight * SCALE for one in scores}

    async def bind(self, pod: core_v1.Pod, node: str) -> None:
        """Raises ExtenderError."""
        meta = pod.metadata
        args = {"PodName": meta.name, "PodNamespace": meta.namespace, "PodUID": meta.uid, "Node": node}
        told = await self._send(self._given.bindVerb, args)
        if told.get("error"):
            raise ExtenderError(str(told["error"]))

    async def victims(self, pod: core_v1.Pod, candidates: Sequence[preemption.Candidate]) -> list[preemption.Candidate]:
        """The candidates that it agrees to, perhaps with other victims on the same nodes. Raises ExtenderError."""
        by_uid = {victim.metadata.uid: victim for candidate in candidates for victim in candidate.victims}
        if self._given.nodeCacheCapable:
            field, shown = "NodeNameToMetaVictims", {c.node: _meta(c) for c in candidates}
        else:
            field, shown = "NodeNameToVictims", {c.node: _full(c) for c in candidates}
        told = await self._send(self._given.preemptVerb, {"Pod": codecs.to_tree(pod), field: shown})
        found = []
        for node, answer in (told.get("nodenametometavictims") or {}).items():
            victims = _lower(answer)
            uids = [str(_lower(one)["uid"]) for one in victims.get("pods") or []]
            missing = [uid for uid in uids if uid not in by_uid]
            if missing:
                text = (
                    f"claims to preempt pod (UID: {missing[0]}) on node: {node}, but the pod is not found on that node"
                )
                raise ExtenderError(f"extender: {self.name} {text}")
            if not uids:
                if self.ignorable:
                    continue
                raise ExtenderError(f'expected at least one victim pod on node "{node}"')
            violations = int(victims.get("numpdbviolations") or 0)
            found.append(preemption.Candidate(str(node), tuple(by_uid[uid] for uid in uids), violations))
        return found

    def _about(self, pod: core_v1.Pod, nodes: Mapping[str, core_v1.Node]) -> dict[str, Any]:
        args: dict[str, Any] = {"Pod": codecs.to_tree(pod), "Nodes": None, "NodeNames": None}
        if self._given.nodeCacheCapable:
            args["NodeNames"] = list(nodes)
        else:
            args["Nodes"] = {"metadata": {}, "items": [codecs.to_tree(node) for node in nodes.values()]}
        return args

    async def _send(self, verb: str, args: Any) -> Any:
        import aiohttp

        if self._session is None:
            tls = await asyncio.to_thread(_tls, self._given) if self._given.enableHTTPS else None
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls or True))
        url = f"{self.name.rstrip('/')}/{verb}"
        try:
            async with self._clock.timeout(self._timeout):
                headers = {"Content-Type": "application/json"}
                async with self._session.post(url, data=msgspec.json.encode(args), headers=headers) as response:
                    if response.status != 200:
                        text = f"failed {verb} with extender at URL {url}, code {response.status}"
                        raise ExtenderError(text)
                    told = msgspec.json.decode(await response.read())
        except TimeoutError:
            raise ExtenderError(f'Post "{url}": context deadline exceeded') from None
        except (aiohttp.ClientError, OSError, msgspec.DecodeError) as error:
            raise ExtenderError(f'Post "{url}": {error}') from error
        return _lower(told) if isinstance(told, dict) else told


def _lower(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key.lower(): value for key, value in tree.items()}


def _meta(candidate: preemption.Candidate) -> dict[str, Any]:
    pods = [{"UID": victim.metadata.uid} for victim in candidate.victims]
    return {"Pods": pods, "NumPDBViolations": candidate.violations}


def _full(candidate: preemption.Candidate) -> dict[str, Any]:
    pods = [codecs.to_tree(victim) for victim in candidate.victims]
    return {"Pods": pods, "NumPDBViolations": candidate.violations}


def _tls(given: configuration.Extender) -> ssl.SSLContext:
    """Files and data as configured; without an authority, anybody is believed, as upstream does."""
    tls = given.tlsConfig or configuration.TLSConfig()
    authority = base64.b64decode(tls.caData).decode() if tls.caData else None
    context = ssl.create_default_context(cafile=tls.caFile or None, cadata=authority)
    if tls.insecure or not (tls.caFile or tls.caData):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certFile:
        context.load_cert_chain(tls.certFile, tls.keyFile or None)
    return context


async def agree(extenders: Iterable[Extender], pod: core_v1.Pod, nodes: dict[str, core_v1.Node]) -> Filtered:
    """Asks one after the other; each sees what the one before left. Raises ExtenderError."""
    failed: dict[str, str] = {}
    hopeless: dict[str, str] = {}
    for extender in extenders:
        if not nodes:
            break
        if not extender.wants(pod):
            continue
        try:
            told = await extender.filter(pod, nodes)
        except ExtenderError:
            if extender.ignorable:
                continue
            raise
        hopeless |= told.hopeless
        failed |= {name: reason for name, reason in told.failed.items() if name not in hopeless}
        nodes = {name: nodes[name] for name in told.nodes}
    return Filtered(list(nodes), failed, hopeless)
