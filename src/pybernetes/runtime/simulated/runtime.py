"""`runtime.protocol.Runtime` without anything running: sandboxes and containers are entries that change in time."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import hashlib
import ipaddress
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.runtime import protocol
from pybernetes.runtime.simulated import processes, scripts

TERMINATED, KILLED = 143, 137
UID_LABEL = "io.kubernetes.pod.uid"


class _Sandbox:
    def __init__(self, sandbox: protocol.Sandbox, config: protocol.SandboxConfig, ip: str) -> None:
        self.sandbox, self.config, self.ip = sandbox, config, ip


class _Container:
    def __init__(self, container: protocol.Container, status: protocol.ContainerStatus, script: scripts.Script) -> None:
        self.container, self.status, self.script = container, status, script
        self.log = processes.MemoryLog()
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.timer: clocks.Timer | None = None


class Pool:
    """The addresses of a network's pods; those given back are given out again last."""

    def __init__(self, cidr: str) -> None:
        hosts = ipaddress.ip_network(cidr).hosts()
        # The first is the gateway's.
        next(hosts, None)
        self._fresh = hosts
        self._taken: set[str] = set()
        self._freed: collections.deque[str] = collections.deque()

    def take(self) -> str:
        """Raises protocol.Error when none is left."""
        for host in self._fresh:
            if str(host) not in self._taken:
                self._taken.add(str(host))
                return str(host)
        while self._freed:
            address = self._freed.popleft()
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise protocol.Error("no IP addresses available in range set")

    def claim(self, address: str) -> None:
        """It is in use already."""
        self._taken.add(address)

    def give_back(self, address: str) -> None:
        self._taken.discard(address)
        self._freed.append(address)


class Simulated:
    """Images are all there, but for those that cannot be pulled; what is pulled or asked for is listed."""

    def __init__(
        self,
        *,
        clock: clocks.Clock,
        chance: chances.Chance,
        pod_cidr: str = "10.244.0.0/24",
        images: scripts.Images = scripts.NO_IMAGES,
    ) -> None:
        self._clock, self._chance = clock, chance
        self._scripts = images
        self._sandboxes: dict[str, _Sandbox] = {}
        self._containers: dict[str, _Container] = {}
        self._images: dict[str, protocol.Image] = {}
        self._pool = Pool(pod_cidr)
        self._listeners: set[asyncio.Queue[protocol.Event]] = set()

    async def version(self) -> protocol.Version:
        return protocol.Version(runtime_name="simulated", runtime_version="1.0.0", api_version="v1")

    async def status(self) -> Sequence[protocol.Condition]:
        return [protocol.Condition(type=kind, status=True) for kind in ("RuntimeReady", "NetworkReady")]

    # Sandboxes

    async def run_sandbox(self, config: protocol.SandboxConfig, *, handler: str = "") -> str:
        ip = ""
        if config.security.namespaces.network is protocol.Namespace.POD:
            ip = self._pool.take()
        made = protocol.Sandbox(
            id=self._id(),
            name=config.name,
            namespace=config.namespace,
            uid=config.uid,
            attempt=config.attempt,
            state=protocol.SandboxState.READY,
            created_at=self._clock.time(),
            labels=config.labels,
            annotations=config.annotations,
        )
        self._sandboxes[made.id] = _Sandbox(made, config, ip)
        return made.id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        held = self._sandboxes.get(sandbox_id)
        if held is None:
            return
        for container in list(self._containers.values()):
            if container.container.sandbox_id == sandbox_id:
                self._end(container, TERMINATED)
        if held.sandbox.state is protocol.SandboxState.READY:
            held.sandbox = replace(held.sandbox, state=protocol.SandboxState.NOT_READY)
            if held.ip:
                self._pool.give_back(held.ip)
                held.ip = ""
            self._tell(held.sandbox.uid)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self.stop_sandbox(sandbox_id)
        self._sandboxes.pop(sandbox_id, None)
        for container_id, found in list(self._containers.items()):
            if found.container.sandbox_id == sandbox_id:
                del self._containers[container_id]

    async def list_sandboxes(self, *, labels: Mapping[str, str] | None = None) -> Sequence[protocol.Sandbox]:
        return [held.sandbox for held in self._sandboxes.values() if _match(held.sandbox.labels, labels)]

    async def sandbox_status(self, sandbox_id: str) -> protocol.SandboxStatus:
        held = self._sandboxes.get(sandbox_id)
        if held is None:
            raise protocol.NotFound(f'sandbox "{sandbox_id}": not found')
        box = held.sandbox
        return protocol.SandboxStatus(
            id=box.id, state=box.state, created_at=box.created_at, ips=[held.ip] if held.ip else []
        )

    # Containers

    async def create_container(
        self, sandbox_id: str, config: protocol.ContainerConfig, *, sandbox_config: protocol.SandboxConfig
    ) -> str:
        if sandbox_id not in self._sandboxes:
            raise protocol.NotFound(f'sandbox "{sandbox_id}": not found')
        image = next((found for found in self._images.values() if found.id == config.image), None)
        name = image.tags[0] if image is not None and image.tags else config.image
        script = scripts.script_of(
            [*config.command, *config.args],
            image=name,
            annotations=sandbox_config.annotations,
            container=config.name,
            images=self._scripts,
        )
        made = protocol.Container(
            id=self._id(),
            sandbox_id=sandbox_id,
            name=config.name,
            attempt=config.attempt,
            image=name,
            image_ref=config.image,
            state=protocol.ContainerState.CREATED,
            created_at=self._clock.time(),
            labels=config.labels,
            annotations=config.annotations,
        )
        status = protocol.ContainerStatus(
            id=made.id,
            name=made.name,
            attempt=made.attempt,
            state=made.state,
            created_at=made.created_at,
            image=name,
            image_ref=config.image,
            image_id=config.image,
            labels=made.labels,
            annotations=made.annotations,
        )
        self._containers[made.id] = _Container(made, status, script)
        return made.id

    async def start_container(self, container_id: str) -> None:
        found = self._get(container_id)
        if found.status.state is not protocol.ContainerState.CREATED:
            raise protocol.Error(f"container is in {found.status.state.value} state")
        now = self._clock.time()
        self._set(found, state=protocol.ContainerState.RUNNING, started_at=now)
        found.log.add(_stamp(now), found.script.output)
        if found.script.run is not None:
            code = found.script.exit_code(found.status.attempt)
            found.timer = self._clock.call_later(found.script.run, lambda: self._end(found, code))

    async def stop_container(self, container_id: str, *, grace: float) -> None:
        found = self._containers.get(container_id)
        if found is None or found.status.state is protocol.ContainerState.EXITED:
            return
        patience = min(found.script.stop, grace)
        if patience > 0:
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(patience):
                    await asyncio.shield(found.ended)
        self._end(found, KILLED if grace <= 0 or found.script.stop > grace else TERMINATED)

    async def remove_container(self, container_id: str) -> None:
        await self.stop_container(container_id, grace=0)
        self._containers.pop(container_id, None)

    async def list_containers(
        self, *, labels: Mapping[str, str] | None = None, sandbox_id: str = ""
    ) -> Sequence[protocol.Container]:
        return [
            found.container
            for found in self._containers.values()
            if _match(found.container.labels, labels) and sandbox_id in ("", found.container.sandbox_id)
        ]

    async def container_status(self, container_id: str) -> protocol.ContainerStatus:
        return self._get(container_id).status

    async def update_resources(self, container_id: str, resources: protocol.Resources) -> None:
        self._get(container_id)

    async def stats(self, *, labels: Mapping[str, str] | None = None) -> Sequence[protocol.ContainerStats]:
        now = self._clock.time()
        return [
            protocol.ContainerStats(id=found.container.id, time=now, labels=found.container.labels)
            for found in self._containers.values()
            if found.status.state is protocol.ContainerState.RUNNING and _match(found.container.labels, labels)
        ]

    def _get(self, container_id: str) -> _Container:
        found = self._containers.get(container_id)
        if found is None:
            raise protocol.NotFound(f'container "{container_id}": not found')
        return found

    def _running(self, container_id: str) -> _Container:
        found = self._get(container_id)
        if found.status.state is not protocol.ContainerState.RUNNING:
            raise protocol.Error(f"container is in {found.status.state.value} state")
        return found

    def _set(
        self,
        found: _Container,
        *,
        state: protocol.ContainerState,
        started_at: float = 0.0,
    ) -> None:
        found.container = replace(found.container, state=state)
        found.status = replace(found.status, state=state, started_at=started_at or found.status.started_at)
        self._tell(found.container.labels.get(UID_LABEL, ""))

    def _end(self, found: _Container, code: int) -> None:
        if found.timer is not None:
            found.timer.cancel()
        if found.status.state is protocol.ContainerState.EXITED:
            return
        reason = "Completed" if code == 0 else "Error"
        found.status = replace(found.status, finished_at=self._clock.time(), exit_code=code, reason=reason)
        found.log.end()
        if not found.ended.done():
            found.ended.set_result(code)
        self._set(found, state=protocol.ContainerState.EXITED)

    # Streams

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout: float) -> protocol.ExecResult:
        self._running(container_id)
        script = scripts.of(command)
        if script.run:
            if timeout and script.run > timeout:
                await self._clock.sleep(timeout)
                raise TimeoutError(f"timeout {timeout:g}s exceeded")
            await self._clock.sleep(script.run)
        return protocol.ExecResult(exit_code=script.exit_code(), stdout=script.output)

    async def exec(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> protocol.Process:
        self._running(container_id)
        return processes.ScriptedProcess(scripts.of(command), clock=self._clock, stdin=stdin)

    async def attach(
        self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> protocol.Process:
        found = self._running(container_id)
        return processes.AttachedLog(found.log, found.ended)

    async def port_forward(self, sandbox_id: str, port: int) -> protocol.Connection:
        raise protocol.Error(f"dial tcp4 127.0.0.1:{port}: connect: connection refused")

    def read_logs(self, status: protocol.ContainerStatus) -> protocol.Logs | None:
        return self._get(status.id).log

    # Images

    async def list_images(self) -> Sequence[protocol.Image]:
        return list(self._images.values())

    async def image_status(self, name: str) -> protocol.Image | None:
        if self._scripts.unpullable(name):
            return None
        if name not in self._images:
            digest = "sha256:" + hashlib.sha256(name.encode()).hexdigest()
            self._images[name] = protocol.Image(id=digest, tags=[name], size=1_000_000)
        return self._images[name]

    async def pull_image(
        self,
        name: str,
        *,
        credentials: protocol.Credentials | None = None,
        sandbox_config: protocol.SandboxConfig | None = None,
    ) -> str:
        found = await self.image_status(name)
        if found is None:
            raise protocol.NotFound(f'failed to pull and unpack image "{name}": {name}: not found')
        return found.id

    async def remove_image(self, name: str) -> None:
        self._images.pop(name, None)

    # Events

    async def events(self) -> AsyncIterator[protocol.Event]:
        arrived: asyncio.Queue[protocol.Event] = asyncio.Queue()
        self._listeners.add(arrived)
        try:
            while True:
                yield await arrived.get()
        finally:
            self._listeners.discard(arrived)

    def _tell(self, uid: str) -> None:
        for listener in self._listeners:
            listener.put_nowait(protocol.Event(pod_uid=uid))

    async def close(self) -> None:
        for found in self._containers.values():
            if found.timer is not None:
                found.timer.cancel()

    def _id(self) -> str:
        return self._chance.token(32).hex()


def _match(labels: Mapping[str, str], wanted: Mapping[str, str] | None) -> bool:
    return all(labels.get(key) == value for key, value in (wanted or {}).items())


def _stamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
