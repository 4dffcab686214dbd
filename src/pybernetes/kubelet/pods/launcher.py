"""Starting a pod's sandbox and containers: what the planner decided, carried out against the runtime."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pybernetes.api import times
from pybernetes.api.types import core_v1
from pybernetes.informers import Recorder
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks
from pybernetes.kits import resolver as resolvers
from pybernetes.kubelet import backoffs, images
from pybernetes.kubelet import settings as kubelet_settings
from pybernetes.kubelet.containers import config, downward, environment, expansion, labels, names, sandbox
from pybernetes.kubelet.pods import killing, lifecycle, state
from pybernetes.kubelet.probes import prober
from pybernetes.kubelet.volumes import place as places
from pybernetes.kubelet.volumes import sub_path
from pybernetes.kubelet.volumes import volumes as pod_volumes
from pybernetes.runtime import protocol

T = TypeVar("T")


class StartFailed(Exception):
    """A container could not be started; `reason` becomes its waiting reason, `wait` says when to try again."""

    def __init__(self, reason: str, message: str, *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.reason, self.wait = reason, wait


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Let a call to the runtime finish although we are cancelled: half-made sandboxes leak addresses."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class Launcher:
    """Shared by all pods of a kubelet."""

    def __init__(
        self,
        *,
        settings: kubelet_settings.Settings,
        runtime: protocol.Runtime,
        pull: images.Images,
        source: environment.Source,
        recorder: Recorder,
        killer: killing.Killer,
        volumes: pod_volumes.Volumes,
        memory_capacity: int,
        clock: clocks.Clock,
        chance: chances.Chance,
    ) -> None:
        self._settings, self._runtime, self._pull, self._source = settings, runtime, pull, source
        self._recorder, self._killer, self._volumes = recorder, killer, volumes
        self._memory_capacity, self._clock, self._chance = memory_capacity, clock, chance
        self._backoffs = backoffs.Backoffs(
            first=settings.restart_backoff, cap=settings.max_restart_backoff, clock=clock
        )

    async def sandbox_config(self, pod: core_v1.Pod, attempt: int) -> protocol.SandboxConfig:
        text = await asyncio.to_thread(_read, self._settings.resolv_conf)
        resolver = resolvers.parse(text)
        return sandbox.config(pod, attempt=attempt, settings=self._settings, resolver=resolver)

    async def sandbox(self, pod: core_v1.Pod, settled: protocol.SandboxConfig) -> tuple[str, Sequence[str]]:
        """Run the sandbox: its id and addresses. Raises protocol.Error."""
        logs = sandbox.log_directory(self._settings, pod)
        await asyncio.to_thread(logs.mkdir, parents=True, exist_ok=True)
        try:
            sandbox_id = await uninterrupted(self._runtime.run_sandbox(settled))
        except protocol.Error as error:
            message = f"Failed to create pod sandbox: {error}"
            self._recorder.event(pod, "Warning", "FailedCreatePodSandBox", message)
            raise
        return sandbox_id, (await self._runtime.sandbox_status(sandbox_id)).ips

    async def container(
        self,
        pod: core_v1.Pod,
        container: labels.AnyContainer,
        *,
        before: protocol.ContainerStatus | None,
        sandbox_id: str,
        sandbox_config: protocol.SandboxConfig,
        volume_paths: Mapping[str, str],
        services: Iterable[core_v1.Service],
        facts: downward.Facts,
    ) -> None:
        """Start one container, `before` being its last attempt. Raises StartFailed and protocol.Unavailable."""
        about = prober.reference(pod, container)

        def say(severity: str, reason: str, message: str) -> None:
            self._recorder.event(about, severity, reason, message)

        self._back_off(pod, container, before, say)
        try:
            image = await self._pull.ensure(pod, container, sandbox_config, say)
        except images.ImageError as error:
            say("Warning", "Failed", f"Error: {error.reason}")
            raise StartFailed(error.reason, str(error), wait=error.wait) from None
        restart_count = 0 if before is None else state.restart_count(before) + 1
        try:
            made = await self._config(pod, container, image, restart_count, volume_paths, services, facts)
        except (environment.ConfigError, places.VolumeError, OSError) as error:
            say("Warning", "Failed", f"Error: {error}")
            raise StartFailed("CreateContainerConfigError", str(error), wait=self._settings.restart_backoff) from None
        container_id = await self._run(made, sandbox_id, sandbox_config, say)
        await self._post_start(pod, container, container_id, facts, say)

    def _back_off(
        self, pod: core_v1.Pod, container: labels.AnyContainer, before: protocol.ContainerStatus | None, say: images.Say
    ) -> None:
        if before is None or before.state is not protocol.ContainerState.EXITED:
            return
        key = f"{pod.metadata.uid}_{container.name}_{labels.container_hash(container)}"
        wait = self._backoffs.remaining(key, before.finished_at)
        if wait > 0:
            where = labels.shown(pod)
            say("Warning", "BackOff", f"Back-off restarting failed container {container.name} in pod {where}")
            delay = times.go_duration(self._backoffs.delay(key))
            message = f"back-off {delay} restarting failed container={container.name} pod={where}"
            raise StartFailed("CrashLoopBackOff", message, wait=wait)
        self._backoffs.next(key, before.finished_at)

    async def _config(
        self,
        pod: core_v1.Pod,
        container: labels.AnyContainer,
        image: protocol.Image,
        restart_count: int,
        volume_paths: Mapping[str, str],
        services: Iterable[core_v1.Service],
        facts: downward.Facts,
    ) -> protocol.ContainerConfig:
        visible = environment.service_variables(environment.visible_services(services, pod))
        env = await environment.build(pod, container, services=visible, source=self._source, facts=facts)
        folder = self._volumes.pod_folder(pod.metadata.uid)
        message_file = folder / "containers" / container.name / self._chance.suffix(8)
        mounts = await asyncio.to_thread(
            self._mounts, pod, container, env, folder, message_file, volume_paths, facts.pod_ips
        )
        return config.config(
            pod,
            container,
            image=image,
            restart_count=restart_count,
            env=env,
            mounts=mounts,
            message_file=str(message_file),
            memory_capacity=self._memory_capacity,
        )

    def _mounts(
        self,
        pod: core_v1.Pod,
        container: labels.AnyContainer,
        env: Mapping[str, str],
        folder: pathlib.Path,
        message_file: pathlib.Path,
        volume_paths: Mapping[str, str],
        ips: Sequence[str],
    ) -> list[protocol.Mount]:
        """Volumes, then the files that every container gets unless a volume covers them. Blocking."""
        mounts = []
        for at, mount in enumerate(container.volumeMounts):
            path = volume_paths.get(mount.name)
            if path is None:
                raise environment.ConfigError(f'cannot find volume "{mount.name}" to mount into container')
            inner = expansion.expand(mount.subPathExpr, env) if mount.subPathExpr else mount.subPath
            if inner:
                target = folder / "volume-subpaths" / mount.name / container.name / str(at)
                path = sub_path.set_up(path, inner, target, mounts=self._settings.mounts)
            mounts.append(config.mount_of(mount, path))
        covered = {mount.container_path.rstrip("/") for mount in mounts}
        folder.mkdir(parents=True, exist_ok=True)
        if "/etc/hosts" not in covered:
            hosts = folder / "etc-hosts"
            node_hosts = _read(pathlib.Path("/etc/hosts")) if pod.spec.hostNetwork else ""
            hosts.write_text(names.hosts_file(pod, ips, self._settings.cluster_domain, node_hosts))
            mounts.append(protocol.Mount(container_path="/etc/hosts", host_path=str(hosts)))
        if container.terminationMessagePath and container.terminationMessagePath not in covered:
            message_file.parent.mkdir(parents=True, exist_ok=True)
            message_file.touch()
            message_file.chmod(0o666)
            mounts.append(protocol.Mount(container_path=container.terminationMessagePath, host_path=str(message_file)))
        return mounts

    async def _run(
        self,
        made: protocol.ContainerConfig,
        sandbox_id: str,
        sandbox_config: protocol.SandboxConfig,
        say: images.Say,
    ) -> str:
        again = self._settings.restart_backoff
        try:
            container_id = await uninterrupted(
                self._runtime.create_container(sandbox_id, made, sandbox_config=sandbox_config)
            )
        except protocol.Unavailable:
            raise
        except protocol.Error as error:
            say("Warning", "Failed", f"Error: {error}")
            raise StartFailed("CreateContainerError", str(error), wait=again) from None
        say("Normal", "Created", "Container created")
        try:
            await uninterrupted(self._runtime.start_container(container_id))
        except protocol.Unavailable:
            raise
        except protocol.Error as error:
            say("Warning", "Failed", f"Error: {error}")
            raise StartFailed("RunContainerError", str(error), wait=again) from None
        say("Normal", "Started", "Container started")
        return container_id

    async def _post_start(
        self,
        pod: core_v1.Pod,
        container: labels.AnyContainer,
        container_id: str,
        facts: downward.Facts,
        say: images.Say,
    ) -> None:
        hook = None if container.lifecycle is None else container.lifecycle.postStart
        if hook is None:
            return
        ip = facts.pod_ips[0] if facts.pod_ips else ""
        try:
            await lifecycle.run(hook, container, container_id, runtime=self._runtime, ip=ip, clock=self._clock)
        except lifecycle.HookFailed as error:
            say("Warning", "FailedPostStartHook", str(error))
            found = await self._runtime.container_status(container_id)
            await self._killer.container(pod, found, why="FailedPostStartHook", grace=killing.pod_grace(pod), ip=ip)
            raise StartFailed("PostStartHookError", str(error)) from None

    def forget(self, uid: str) -> None:
        self._backoffs.forget(uid)
        self._pull.forget(uid)


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
