"""The node object: registered at start (unless others do that), its status kept true, its lease renewed.

As upstream: the status is looked at every `status_frequency` seconds, written when it changed and at least every
`report_frequency`; the lease is the heartbeat, renewed at a quarter of its duration.
"""

from __future__ import annotations

import asyncio
import logging

from pybernetes.api import codecs, times
from pybernetes.api.errors import StatusError
from pybernetes.api.types import coordination_v1, core_v1, meta_v1
from pybernetes.client import STRATEGIC_PATCH, Client
from pybernetes.informers import Recorder
from pybernetes.kits import backoff
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kubelet import settings as kubelet_settings
from pybernetes.kubelet.node import machine as machines
from pybernetes.kubelet.node import status as statuses
from pybernetes.runtime import protocol

log = logging.getLogger(__name__)

LEASES = "kube-node-lease"

UPDATE_ATTEMPTS = 5


class Agent:
    """Run `run` as a task. `node` is the object as last seen; `wake` has the status looked at now."""

    def __init__(
        self,
        *,
        settings: kubelet_settings.Settings,
        machine: machines.Machine,
        client: Client,
        runtime: protocol.Runtime,
        recorder: Recorder,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._settings, self._machine, self._client, self._runtime = settings, machine, client, runtime
        self._recorder, self._clock, self._chance = recorder, clock, chance
        self._wanted = asyncio.Event()
        self._reported = 0.0
        self._ready: bool | None = None
        self._lease: coordination_v1.Lease | None = None
        self.node: core_v1.Node | None = None
        self.registered = asyncio.Event()

    def wake(self) -> None:
        self._wanted.set()

    async def run(self) -> None:
        await self._register()
        await asyncio.gather(self._keep_status(), self._keep_lease())

    def reference(self) -> core_v1.ObjectReference:
        """As upstream's node events name it: the uid is the name."""
        name = self._settings.node_name
        return core_v1.ObjectReference(apiVersion="v1", kind="Node", name=name, uid=name)

    async def _register(self) -> None:
        pauses = backoff.Backoff(first=0.05, cap=7.0)
        self._recorder.event(self.reference(), "Normal", "Starting", "Starting kubelet.")
        while True:
            try:
                self.node = await self._create_or_adopt()
                break
            except (StatusError, ConnectionError) as error:
                log.warning("cannot register node %s yet: %s", self._settings.node_name, error)
                await self._clock.sleep(pauses.next())
        self._reported = self._clock.monotonic()
        self.registered.set()

    async def _create_or_adopt(self) -> core_v1.Node:
        if not self._settings.register:
            return await self._write_latest()
        wanted = await self._fresh()
        try:
            return await self._client.create(wanted)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
        found = await self._client.get(core_v1.Node, self._settings.node_name)
        missing = {k: v for k, v in wanted.metadata.labels.items() if found.metadata.labels.get(k) != v}
        if missing:
            await self._client.patch(
                core_v1.Node, found.metadata.name, "", {"metadata": {"labels": missing}}, kind=STRATEGIC_PATCH
            )
        return await self._write_latest()

    async def _fresh(self) -> core_v1.Node:
        node = core_v1.Node(
            metadata=meta_v1.ObjectMeta(
                name=self._settings.node_name,
                labels=statuses.labels(self._machine, self._settings),
                annotations={"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
            ),
            spec=core_v1.NodeSpec(
                providerID=self._settings.provider_id,
                taints=[core_v1.Taint(key=k, value=v, effect=e) for k, v, e in self._settings.taints],
            ),
        )
        node.status = await self._status(node)
        return node

    async def _status(self, node: core_v1.Node) -> core_v1.NodeStatus:
        """The status as it should be, from what it was."""
        conditions: list[protocol.Condition] | None = None
        images: list[core_v1.ContainerImage] = node.status.images
        version, trouble = None, ""
        try:
            conditions = list(await self._runtime.status())
            version = await self._runtime.version()
            images = statuses.image_list(await self._runtime.list_images())
        except protocol.Error as error:
            trouble = str(error)
        fresh = codecs.copy(node.status)
        fresh.capacity = statuses.capacity(self._machine, self._settings)
        fresh.allocatable = statuses.allocatable(fresh.capacity)
        fresh.addresses = statuses.addresses(self._machine, self._settings)
        fresh.daemonEndpoints = core_v1.NodeDaemonEndpoints(
            kubeletEndpoint=core_v1.DaemonEndpoint(Port=self._settings.port)
        )
        info = statuses.info(self._machine, version, self._settings)
        if version is None:
            info.containerRuntimeVersion = node.status.nodeInfo.containerRuntimeVersion
        fresh.nodeInfo = info
        fresh.images = images
        fresh.features = core_v1.NodeFeatures(supplementalGroupsPolicy=False)
        fresh.conditions = statuses.conditions(
            node.status.conditions, runtime=conditions, trouble=trouble, now=times.to_time(self._clock.time())
        )
        return fresh

    async def _keep_status(self) -> None:
        while True:
            if self.node is not None:
                await self._report(self.node)
            self._wanted.clear()
            timer = self._clock.call_later(self._settings.status_frequency, self._wanted.set)
            try:
                await self._wanted.wait()
            finally:
                timer.cancel()

    async def _report(self, node: core_v1.Node) -> None:
        try:
            fresh = await self._status(node)
            due = self._clock.monotonic() - self._reported >= self._settings.report_frequency
            if due or _without_heartbeats(fresh) != _without_heartbeats(node.status):
                self.node = await self._write_latest()
                self._reported = self._clock.monotonic()
        except StatusError as error:
            if error.reason == "NotFound":
                # Somebody deleted the node under us: it comes back, as upstream's does after a restart.
                await self._register()
            else:
                log.warning("node status: %s", error)
        except ConnectionError as error:
            log.warning("node status: %s", error)

    async def _write_latest(self) -> core_v1.Node:
        """Controllers write the node too, most of all when it is new: then the status is put on what they wrote."""
        for attempt in range(UPDATE_ATTEMPTS):
            current = await self._client.get(core_v1.Node, self._settings.node_name)
            try:
                return await self._write(current)
            except StatusError as error:
                if error.reason != "Conflict" or attempt == UPDATE_ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    async def _write(self, current: core_v1.Node) -> core_v1.Node:
        fresh = codecs.copy(current)
        fresh.status = await self._status(current)
        ready = next((c.status == "True" for c in fresh.status.conditions if c.type == "Ready"), False)
        written = await self._client.update_status(fresh)
        if self._ready is not None and self._ready != ready:
            word = "NodeReady" if ready else "NodeNotReady"
            message = f"Node {self._settings.node_name} status is now: {word}"
            self._recorder.event(self.reference(), "Normal", word, message)
        self._ready = ready
        return written

    async def _keep_lease(self) -> None:
        period = self._settings.lease_seconds / 4
        while True:
            try:
                await self._renew()
            except (StatusError, ConnectionError) as error:
                self._lease = None
                log.warning("node lease: %s", error)
            await self._clock.sleep(self._chance.jitter(period, 0.04))

    async def _renew(self) -> None:
        name = self._settings.node_name
        now = times.to_micro_time(self._clock.time())
        if self._lease is None:
            try:
                self._lease = await self._client.get(coordination_v1.Lease, name, LEASES)
            except StatusError as error:
                if error.reason != "NotFound":
                    raise
                self._lease = await self._client.create(self._new_lease(now))
                return
        fresh = codecs.copy(self._lease)
        fresh.spec.renewTime = now
        fresh.spec.holderIdentity = name
        fresh.spec.leaseDurationSeconds = self._settings.lease_seconds
        self._lease = await self._client.update(fresh)

    def _new_lease(self, now: str) -> coordination_v1.Lease:
        name = self._settings.node_name
        owners = []
        if self.node is not None:
            owners = [meta_v1.OwnerReference(apiVersion="v1", kind="Node", name=name, uid=self.node.metadata.uid)]
        return coordination_v1.Lease(
            metadata=meta_v1.ObjectMeta(name=name, namespace=LEASES, ownerReferences=owners),
            spec=coordination_v1.LeaseSpec(
                holderIdentity=name, leaseDurationSeconds=self._settings.lease_seconds, renewTime=now
            ),
        )


def _without_heartbeats(status: core_v1.NodeStatus) -> core_v1.NodeStatus:
    plain = codecs.copy(status)
    for condition in plain.conditions:
        condition.lastHeartbeatTime = None
    return plain
