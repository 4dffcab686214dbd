"""`runtime.protocol.Runtime` over a CRI v1 socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio

from pybernetes.kits import clock as clocks
from pybernetes.runtime import protocol
from pybernetes.runtime.cri import convert, events, streams
from pybernetes.runtime.cri.v1 import cri_pb2 as pb
from pybernetes.runtime.cri.v1 import cri_pb2_grpc as stubs

Response = TypeVar("Response")

# Upstream's runtimeRequestTimeout; stopping adds the grace period, pulling has no end but progress.
TIMEOUT = 120.0
MAX_MESSAGE = 16 * 1024 * 1024


class CRI:
    """A client of the runtime that listens on `unix://` + a path."""

    def __init__(self, socket: str, *, clock: clocks.Clock) -> None:
        # The in-process subchannel pool would otherwise share a broken connection between clients of one process.
        options = [
            ("grpc.max_receive_message_length", MAX_MESSAGE),
            ("grpc.max_send_message_length", MAX_MESSAGE),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.default_authority", "localhost"),
        ]
        self._channel = grpc.aio.insecure_channel(f"unix://{socket}", options=options)
        self._runtime = stubs.RuntimeServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._images = stubs.ImageServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._noticing = events.Noticing(
            containers=self._all_containers, sandboxes=self._all_sandboxes, process=self._process, clock=clock
        )

    async def _call(self, method: Any, request: Any, *, timeout: float | None = TIMEOUT) -> Any:
        try:
            return await method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise convert.error(error) from None

    async def _forgiving(self, method: Any, request: Any, *, timeout: float | None = TIMEOUT) -> None:
        """For stop and remove: what is gone already is as wanted."""
        try:
            await self._call(method, request, timeout=timeout)
        except protocol.NotFound:
            return

    async def version(self) -> protocol.Version:
        found = await self._call(self._runtime.Version, pb.VersionRequest())
        return protocol.Version(
            runtime_name=found.runtime_name,
            runtime_version=found.runtime_version.removeprefix("v"),
            api_version=found.runtime_api_version,
        )

    async def status(self) -> Sequence[protocol.Condition]:
        found = await self._call(self._runtime.Status, pb.StatusRequest())
        return [
            protocol.Condition(type=c.type, status=c.status, reason=c.reason, message=c.message)
            for c in found.status.conditions
        ]

    async def run_sandbox(self, config: protocol.SandboxConfig, *, handler: str = "") -> str:
        request = pb.RunPodSandboxRequest(config=convert.sandbox_config(config), runtime_handler=handler)
        made = await self._call(self._runtime.RunPodSandbox, request, timeout=2 * TIMEOUT)
        return str(made.pod_sandbox_id)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        await self._forgiving(self._runtime.StopPodSandbox, pb.StopPodSandboxRequest(pod_sandbox_id=sandbox_id))

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self._forgiving(self._runtime.RemovePodSandbox, pb.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id))

    async def list_sandboxes(self, *, labels: Mapping[str, str] | None = None) -> list[protocol.Sandbox]:
        request = pb.ListPodSandboxRequest(filter=pb.PodSandboxFilter(label_selector=labels or {}))
        found = await self._call(self._runtime.ListPodSandbox, request)
        return [convert.sandbox(item) for item in found.items]

    async def sandbox_status(self, sandbox_id: str) -> protocol.SandboxStatus:
        request = pb.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        found = await self._call(self._runtime.PodSandboxStatus, request)
        return convert.sandbox_status(found.status)

    async def create_container(
        self, sandbox_id: str, config: protocol.ContainerConfig, *, sandbox_config: protocol.SandboxConfig
    ) -> str:
        request = pb.CreateContainerRequest(
            pod_sandbox_id=sandbox_id,
            config=convert.container_config(config),
            sandbox_config=convert.sandbox_config(sandbox_config),
        )
        made = await self._call(self._runtime.CreateContainer, request)
        return str(made.container_id)

    async def start_container(self, container_id: str) -> None:
        await self._call(self._runtime.StartContainer, pb.StartContainerRequest(container_id=container_id))
        try:
            found = await self._verbose(container_id)
        except protocol.Error:
            return
        uid = found.status.labels.get(events.UID_LABEL, "")
        self._noticing.started(container_id, uid, events.pid_of(found.info.get("info", "")))

    async def stop_container(self, container_id: str, *, grace: float) -> None:
        request = pb.StopContainerRequest(container_id=container_id, timeout=int(grace))
        await self._forgiving(self._runtime.StopContainer, request, timeout=TIMEOUT + grace)

    async def remove_container(self, container_id: str) -> None:
        await self._forgiving(self._runtime.RemoveContainer, pb.RemoveContainerRequest(container_id=container_id))

    async def list_containers(
        self, *, labels: Mapping[str, str] | None = None, sandbox_id: str = ""
    ) -> list[protocol.Container]:
        request = pb.ListContainersRequest(
            filter=pb.ContainerFilter(label_selector=labels or {}, pod_sandbox_id=sandbox_id)
        )
        found = await self._call(self._runtime.ListContainers, request)
        return [convert.container(item) for item in found.containers]

    async def container_status(self, container_id: str) -> protocol.ContainerStatus:
        request = pb.ContainerStatusRequest(container_id=container_id)
        found = await self._call(self._runtime.ContainerStatus, request)
        return convert.container_status(found.status)

    async def _verbose(self, container_id: str) -> pb.ContainerStatusResponse:
        request = pb.ContainerStatusRequest(container_id=container_id, verbose=True)
        found: pb.ContainerStatusResponse = await self._call(self._runtime.ContainerStatus, request)
        return found

    async def _process(self, container_id: str) -> tuple[int, protocol.ContainerState]:
        found = await self._verbose(container_id)
        return events.pid_of(found.info.get("info", "")), convert.container_status(found.status).state

    async def _all_containers(self) -> list[protocol.Container]:
        return await self.list_containers()

    async def _all_sandboxes(self) -> list[protocol.Sandbox]:
        return await self.list_sandboxes()

    async def update_resources(self, container_id: str, resources: protocol.Resources) -> None:
        request = pb.UpdateContainerResourcesRequest(container_id=container_id, linux=convert.resources(resources))
        await self._call(self._runtime.UpdateContainerResources, request)

    async def stats(self, *, labels: Mapping[str, str] | None = None) -> list[protocol.ContainerStats]:
        request = pb.ListContainerStatsRequest(filter=pb.ContainerStatsFilter(label_selector=labels or {}))
        found = await self._call(self._runtime.ListContainerStats, request)
        return [convert.container_stats(item) for item in found.stats]

    async def exec_sync(self, container_id: str, command: Sequence[str], *, timeout: float) -> protocol.ExecResult:
        # The runtime counts whole seconds and kills the process then; the call itself may take longer to say so.
        request = pb.ExecSyncRequest(container_id=container_id, cmd=command, timeout=int(timeout))
        try:
            done = await self._runtime.ExecSync(request, timeout=timeout + TIMEOUT if timeout else None)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise TimeoutError(error.details()) from None
            raise convert.error(error) from None
        return protocol.ExecResult(exit_code=done.exit_code, stdout=done.stdout, stderr=done.stderr)

    async def exec(
        self, container_id: str, command: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> protocol.Process:
        request = pb.ExecRequest(
            container_id=container_id, cmd=command, stdin=stdin, stdout=stdout, stderr=stderr and not tty, tty=tty
        )
        answer = await self._call(self._runtime.Exec, request)
        return await streams.process(answer.url, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty)

    async def attach(
        self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> protocol.Process:
        request = pb.AttachRequest(
            container_id=container_id, stdin=stdin, stdout=stdout, stderr=stderr and not tty, tty=tty
        )
        answer = await self._call(self._runtime.Attach, request)
        return await streams.process(answer.url, stdin=stdin, stdout=stdout, stderr=stderr, tty=tty)

    async def port_forward(self, sandbox_id: str, port: int) -> protocol.Connection:
        request = pb.PortForwardRequest(pod_sandbox_id=sandbox_id, port=[port])
        answer = await self._call(self._runtime.PortForward, request)
        return await streams.connection(answer.url, port)

    def read_logs(self, status: protocol.ContainerStatus) -> protocol.Logs | None:
        return None

    async def list_images(self) -> list[protocol.Image]:
        found = await self._call(self._images.ListImages, pb.ListImagesRequest())
        return [convert.image(item) for item in found.images]

    async def image_status(self, name: str) -> protocol.Image | None:
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=name))
        found = await self._call(self._images.ImageStatus, request)
        return convert.image(found.image) if found.HasField("image") else None

    async def pull_image(
        self,
        name: str,
        *,
        credentials: protocol.Credentials | None = None,
        sandbox_config: protocol.SandboxConfig | None = None,
    ) -> str:
        request = pb.PullImageRequest(
            image=pb.ImageSpec(image=name),
            auth=None if credentials is None else convert.credentials(credentials),
            sandbox_config=None if sandbox_config is None else convert.sandbox_config(sandbox_config),
        )
        pulled = await self._call(self._images.PullImage, request, timeout=None)
        return str(pulled.image_ref)

    async def remove_image(self, name: str) -> None:
        await self._forgiving(self._images.RemoveImage, pb.RemoveImageRequest(image=pb.ImageSpec(image=name)))

    async def events(self) -> AsyncIterator[protocol.Event]:
        try:
            async for event in events.streamed(self._runtime.GetContainerEvents(pb.GetEventsRequest())):
                yield event
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.CANCELLED:
                raise asyncio.CancelledError from None
        async for event in self._noticing.events():
            yield event

    async def close(self) -> None:
        await self._channel.close()
