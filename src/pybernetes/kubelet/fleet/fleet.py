"""Many simulated nodes in one process: their node objects, their leases, and all their pods.

Nothing here runs while nothing changes but the leases: a pod is looked at when its object changes, or when its
script says that something is due.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from pybernetes.api import codecs, times
from pybernetes.api.errors import StatusError
from pybernetes.api.types import core_v1
from pybernetes.client import Client
from pybernetes.informers import Informers, Recorder
from pybernetes.kits import backoff, tasks
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kubelet import backoffs
from pybernetes.kubelet.fleet import heartbeats, nodes, play
from pybernetes.kubelet.pods import removal
from pybernetes.kubelet.status import phase as phases
from pybernetes.kubelet.status import writer
from pybernetes.runtime import protocol
from pybernetes.runtime.simulated import runtime as simulated
from pybernetes.runtime.simulated import scripts

log = logging.getLogger(__name__)

RESTART_BACKOFF, MAX_BACKOFF = 10.0, 300.0
# Addresses of pods on nodes without a range of their own.
SHARED_RANGE = "100.64.0.0/10"
# Nodes made at the same time.
AT_ONCE = 20
# How many nodes tell of all that happens to their pods.
TALKATIVE = 10


class _Actor:
    """A pod that is played, and its timer."""

    __slots__ = ("leaving", "play", "timer")

    def __init__(self, played: play.Play) -> None:
        self.play = played
        self.timer: clocks.Timer | None = None
        self.leaving = False


class Fleet:
    """Construct it, await `run` (it returns only by failing or being cancelled), then `close`.

    `ready` is set once all nodes of `specs` are there. With more than `TALKATIVE` of them, only what goes wrong is told
    as an event.
    """

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        specs: Sequence[nodes.Spec] = (),
        images: scripts.Images = scripts.NO_IMAGES,
        address: str = "127.0.0.1",
        port: int = 10250,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._client, self._clock = client, clock
        self._specs, self._tells_all = specs, len(specs) <= TALKATIVE
        self._address, self._port = address, port
        self._nodes = informers.of(core_v1.Node)
        self._pods = informers.of(core_v1.Pod)
        self._recorder = Recorder(client, "kubelet", clock=clock, chance=chance)
        self._statuses = writer.StatusWriter(client, clock=clock)
        self._heartbeats = heartbeats.Heartbeats(client, clock=clock)
        self._tasks = tasks.Tasks()
        self._actors: dict[str, dict[str, _Actor]] = {}
        self._pools: dict[str, simulated.Pool] = {}
        self._shared = simulated.Pool(SHARED_RANGE)
        self._stage = play.Stage(
            images=images,
            chance=chance,
            restarts=backoffs.Backoffs(first=RESTART_BACKOFF, cap=MAX_BACKOFF, clock=clock),
            pulls=backoffs.Backoffs(first=RESTART_BACKOFF, cap=MAX_BACKOFF, clock=clock),
            say=self._say,
            take_address=self._take_address,
        )
        self.ready = asyncio.Event()

    async def run(self) -> None:
        await self._nodes.wait_synced()
        await self._pods.wait_synced()
        self._nodes.on_change(self._node_changed)
        self._pods.on_change(self._pod_changed)
        self._tasks.spawn(self._heartbeats.run(), name="leases of simulated nodes", vital=True)
        self._tasks.spawn(self._make_nodes(), name="simulated nodes", vital=True)
        await self._tasks.wait_failed()

    async def close(self) -> None:
        for actors in self._actors.values():
            for actor in actors.values():
                if actor.timer is not None:
                    actor.timer.cancel()
        await self._tasks.close()
        await self._statuses.close()
        await self._recorder.close()

    # Nodes

    async def _make_nodes(self) -> None:
        waiting = list(reversed(self._specs))

        async def work() -> None:
            while waiting:
                await self._make_node(waiting.pop())
                # In process nothing waits, and whoever works on nodes is to begin with those that there are.
                await asyncio.sleep(0)

        await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(waiting)))))
        self.ready.set()

    async def _make_node(self, spec: nodes.Spec) -> None:
        made = nodes.wanted(spec, address=self._address, port=self._port, now=times.to_time(self._clock.time()))
        pauses = backoff.Backoff(first=0.05, cap=7.0)
        while True:
            try:
                await self._client.create(made)
                return
            except StatusError as error:
                if error.reason == "AlreadyExists":
                    return
                log.warning("cannot register node %s yet: %s", spec.name, error)
            except ConnectionError as error:
                log.warning("cannot register node %s yet: %s", spec.name, error)
            await self._clock.sleep(pauses.next())

    def _node_changed(self, old: core_v1.Node | None, new: core_v1.Node | None) -> None:
        if new is None or not nodes.is_simulated(new):
            if old is not None and (name := old.metadata.name) in self._actors:
                self._heartbeats.remove(name)
                for actor in self._actors.pop(name).values():
                    if actor.timer is not None:
                        actor.timer.cancel()
                self._pools.pop(name, None)
            return
        name = new.metadata.name
        if name not in self._actors:
            self._actors[name] = {}
            self._tasks.spawn(self._take_on(new), name=f"node {name}")
            for pod in self._pods.cache.list():
                if pod.spec.nodeName == name:
                    self._pod_changed(None, pod)
        elif not nodes.is_complete(new):
            self._tasks.spawn(self._complete(new), name=f"status of {name}")

    async def _take_on(self, node: core_v1.Node) -> None:
        await self._complete(node)
        pauses = backoff.Backoff(first=0.1, cap=7.0)
        while node.metadata.name in self._actors:
            try:
                await self._heartbeats.add(node)
                return
            except (StatusError, ConnectionError) as error:
                log.info("lease of %s: %s", node.metadata.name, error)
                await self._clock.sleep(pauses.next())

    async def _complete(self, node: core_v1.Node) -> None:
        """Give it the status of a node that works, unless it has one."""
        pauses = backoff.Backoff(first=0.02, cap=7.0)
        current = node
        while current.metadata.name in self._actors and not nodes.is_complete(current):
            fresh = codecs.copy(current)
            now = times.to_time(self._clock.time())
            fresh.status = nodes.adopted(current, address=self._address, port=self._port, now=now)
            try:
                await self._client.update_status(fresh)
                return
            except StatusError as error:
                if error.reason == "NotFound":
                    return
            except ConnectionError:
                pass
            await self._clock.sleep(pauses.next())
            current = self._nodes.cache.get(node.metadata.name) or current

    def _take_address(self, node: str) -> str:
        pool = self._pools.get(node)
        if pool is None:
            found = self._nodes.cache.get(node)
            if found is None or not found.spec.podCIDR:
                return self._shared.take()
            pool = self._pools[node] = simulated.Pool(found.spec.podCIDR)
            for actor in self._actors.get(node, {}).values():
                for status in actor.play.pod.status.podIPs:
                    pool.claim(status.ip)
        return pool.take()

    # Pods

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            self._forget(old)
        if new is None:
            return
        actors = self._actors.get(new.spec.nodeName)
        if actors is None:
            return
        uid = new.metadata.uid
        actor = actors.get(uid)
        if actor is None:
            if phases.is_terminal(new.status.phase) and not new.metadata.deletionTimestamp:
                return
            actor = actors[uid] = self._cast(new)
        else:
            before = actor.play.pod
            actor.play.changed(new)
            if not _worth_a_look(before, new):
                shown = actor.play.shown
                if _gated(new.status, {"Ready"}) != _gated(shown, {"Ready"}):
                    # Somebody took the node for lost.
                    self._statuses.put(new, shown)
                return
        self._act(actor)

    def _cast(self, pod: core_v1.Pod) -> _Actor:
        node = self._nodes.cache.get(pod.spec.nodeName)
        address = (nodes.address_of(node) if node is not None else "") or self._address
        return _Actor(play.Play(pod, self._stage, host_ip=address, now=self._clock.time()))

    def _act(self, actor: _Actor) -> None:
        if actor.timer is not None:
            actor.timer.cancel()
            actor.timer = None
        if actor.leaving:
            return
        now = self._clock.time()
        pod = actor.play.pod
        try:
            scene = actor.play.act(now)
        except protocol.Error as error:
            self._recorder.event(pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            actor.timer = self._clock.call_later(RESTART_BACKOFF, lambda: self._act(actor))
            return
        deleted = bool(pod.metadata.deletionTimestamp)
        if not (scene.over and deleted) or pod.metadata.finalizers:
            self._statuses.put(pod, scene.status)
        if scene.wake is not None:
            actor.timer = self._clock.call_later(max(scene.wake - now, 0.0), lambda: self._act(actor))
        if scene.over and deleted:
            actor.leaving = True
            self._tasks.spawn(self._remove(pod), name=f"end of {pod.metadata.namespace}/{pod.metadata.name}")

    async def _remove(self, pod: core_v1.Pod) -> None:
        """Tell the API server that the pod has ended and may go."""
        meta = pod.metadata
        pauses = backoff.Backoff(first=0.1, cap=10.0)
        while True:
            await self._statuses.flush(meta.uid)
            try:
                await removal.remove(self._client, pod)
                return
            except StatusError as error:
                log.warning("cannot remove pod %s/%s yet: %s", meta.namespace, meta.name, error)
            except ConnectionError:
                pass
            await self._clock.sleep(pauses.next())

    def _forget(self, pod: core_v1.Pod) -> None:
        actor = self._actors.get(pod.spec.nodeName, {}).pop(pod.metadata.uid, None)
        if actor is None:
            return
        if actor.timer is not None:
            actor.timer.cancel()
        self._statuses.forget(pod.metadata.uid)
        self._stage.restarts.forget(pod.metadata.uid)
        self._stage.pulls.forget(pod.metadata.uid)
        if not pod.spec.hostNetwork:
            pool = self._pools.get(pod.spec.nodeName, self._shared)
            for box in actor.play.seen.sandboxes:
                for ip in box.ips:
                    pool.give_back(ip)

    def _say(self, about: core_v1.Pod | core_v1.ObjectReference, severity: str, reason: str, message: str) -> None:
        if self._tells_all or severity != "Normal":
            self._recorder.event(about, severity, reason, message)


def _worth_a_look(before: core_v1.Pod, after: core_v1.Pod) -> bool:
    """Whether the change may be one that the pod acts on: most are our own status coming back."""
    one, other = before.metadata, after.metadata
    if (one.generation, one.deletionTimestamp, one.annotations) != (
        other.generation,
        other.deletionTimestamp,
        other.annotations,
    ):
        return True
    gates = {gate.conditionType for gate in after.spec.readinessGates}
    return bool(gates) and _gated(before.status, gates) != _gated(after.status, gates)


def _gated(status: core_v1.PodStatus, gates: set[str]) -> list[tuple[str, str]]:
    return [(found.type, found.status) for found in status.conditions if found.type in gates]
