"""The kubelet: follows the pods bound to its node, gives each a worker, and keeps the node object true.

What decides is in `pods`, `status` and `containers`, what does is in `pods.launcher`, `volumes` and `probes`; here
they are put together and fed with changes: of the API (informers), of the runtime (events), of objects that pods
refer to.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from pybernetes.api.types import core_v1
from pybernetes.client import Client
from pybernetes.informers import Informers, Recorder
from pybernetes.kits import backoff
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits.tasks import Tasks
from pybernetes.kubelet import images, objects
from pybernetes.kubelet import settings as kubelet_settings
from pybernetes.kubelet import tokens as kubelet_tokens
from pybernetes.kubelet.node import agent as agents
from pybernetes.kubelet.node import machine as machines
from pybernetes.kubelet.pods import killing, launcher, orphans
from pybernetes.kubelet.pods import worker as workers
from pybernetes.kubelet.status import writer
from pybernetes.kubelet.volumes import volumes as pod_volumes
from pybernetes.runtime import protocol

if TYPE_CHECKING:
    from pybernetes.kubelet.server import server

log = logging.getLogger(__name__)


class Kubelet:
    """Construct it, await `run` (it returns only by failing or being cancelled), then `close`.

    `informers` may be shared with other components of the process, but not with another node's kubelet.
    """

    def __init__(
        self,
        settings: kubelet_settings.Settings,
        client: Client,
        runtime: protocol.Runtime,
        informers: Informers,
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self.settings, self._client, self.runtime = settings, client, runtime
        self._clock, self._chance = clock, chance
        self._informers = informers
        self._private = Informers(client, clock=clock, chance=chance)
        self._recorder = Recorder(client, "kubelet", host=settings.node_name, clock=clock, chance=chance)
        self._tasks = Tasks()
        self._workers: dict[str, workers.Worker] = {}
        self._server: server.Server | None = None
        machine = machines.read(settings.root, address=settings.node_ip)
        self._agent = agents.Agent(
            settings=settings,
            machine=machine,
            client=client,
            runtime=runtime,
            recorder=self._recorder,
            clock=clock,
            chance=chance,
        )
        self._pods = informers.of(core_v1.Pod, fields=f"spec.nodeName={settings.node_name}")
        self._services = informers.of(core_v1.Service)
        followed = objects.Objects(self._private, clock=clock, changed=self._content_changed)
        tokens = kubelet_tokens.Tokens(client, clock=clock, chance=chance)
        self._volumes = pod_volumes.Volumes(
            root=settings.root, source=followed, tokens=tokens, mounts=settings.mounts, chance=chance
        )
        pull = images.Images(
            runtime, followed, clock=clock, first=settings.restart_backoff, cap=settings.max_restart_backoff
        )
        killer = killing.Killer(runtime, self._recorder, clock=clock)
        self._statuses = writer.StatusWriter(client, clock=clock)
        self._tools = workers.Tools(
            settings=settings,
            client=client,
            runtime=runtime,
            launcher=launcher.Launcher(
                settings=settings,
                runtime=runtime,
                pull=pull,
                source=followed,
                recorder=self._recorder,
                killer=killer,
                volumes=self._volumes,
                memory_capacity=machine.memory,
                clock=clock,
                chance=chance,
            ),
            killer=killer,
            statuses=self._statuses,
            volumes=self._volumes,
            objects=followed,
            tokens=tokens,
            recorder=self._recorder,
            services=self._services.cache.list,
            node=lambda: self._agent.node,
            admitted=lambda: [worker.pod for worker in self._workers.values() if worker.takes_room],
            host_ips=[settings.node_ip or machine.address],
            clock=clock,
            chance=chance,
        )

    @property
    def registered(self) -> asyncio.Event:
        """Set once the node object exists."""
        return self._agent.registered

    def pods(self) -> list[core_v1.Pod]:
        """The pods on this node, with the status last shown."""
        return [worker.pod for worker in self._workers.values()]

    def all_workers(self) -> list[workers.Worker]:
        return list(self._workers.values())

    def find(self, namespace: str, name: str, uid: str = "") -> workers.Worker | None:
        """The worker of a pod."""
        for worker in self._workers.values():
            meta = worker.pod.metadata
            if (meta.namespace, meta.name) == (namespace, name) and uid in ("", meta.uid):
                return worker
        return None

    def shown(self, pod: core_v1.Pod) -> core_v1.PodStatus:
        return self._statuses.shown(pod)

    async def run(self) -> None:
        if self.settings.serve:
            from pybernetes.kubelet.server import server

            self._server = server.Server(self, self._client, clock=self._clock)
            await self._server.start()
        self._tasks.spawn(self._agent.run(), name="node agent", vital=True)
        await self._private.start()
        await self._informers.start()
        await self._pods.wait_synced()
        await self._services.wait_synced()
        await self._remove_orphans()
        self._pods.on_change(self._pod_changed)
        self._tasks.spawn(self._follow_runtime(), name="runtime events", vital=True)
        await self._tasks.wait_failed()

    async def close(self) -> None:
        """Stop working; what runs goes on running."""
        if self._server is not None:
            await self._server.close()
        await self._tasks.close()
        await self._statuses.close()
        await self._private.close()
        await self._recorder.close()

    async def _remove_orphans(self) -> None:
        pauses = backoff.Backoff(first=0.1, cap=5.0)
        while True:
            known = {pod.metadata.uid for pod in self._pods.cache.list()}
            try:
                await orphans.remove(self.runtime, self._volumes, self.settings, known)
                return
            except protocol.Error as error:
                log.warning("cannot look for orphans yet: %s", error)
                await self._clock.sleep(pauses.next())

    def _pod_changed(self, old: core_v1.Pod | None, new: core_v1.Pod | None) -> None:
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            leaving = self._workers.get(old.metadata.uid)
            if leaving is not None:
                leaving.gone()
        if new is None:
            return
        uid = new.metadata.uid
        worker = self._workers.get(uid)
        if worker is not None:
            worker.update(new)
            return
        self._workers[uid] = worker = workers.Worker(new, self._tools)
        name = f"pod {new.metadata.namespace}/{new.metadata.name}"
        self._tasks.spawn(worker.run(), name=name).add_done_callback(lambda _: self._workers.pop(uid, None))

    def _content_changed(self, uid: str) -> None:
        worker = self._workers.get(uid)
        if worker is not None:
            worker.refresh_volumes()

    async def _follow_runtime(self) -> None:
        pauses = backoff.Backoff(first=0.1, cap=5.0)
        while True:
            try:
                async for event in self.runtime.events():
                    pauses.reset()
                    for uid in [event.pod_uid] if event.pod_uid else list(self._workers):
                        if (worker := self._workers.get(uid)) is not None:
                            worker.wake()
            except protocol.Error as error:
                log.warning("runtime events: %s", error)
            await self._clock.sleep(pauses.next())
