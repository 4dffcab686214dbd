"""The container that a pod's spec asks for, ready to hand to the runtime. Pure but for the paths it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import expansion, labels, resources, security
from pybernetes.runtime import protocol

_PROPAGATIONS = {
    "HostToContainer": protocol.Propagation.HOST_TO_CONTAINER,
    "Bidirectional": protocol.Propagation.BIDIRECTIONAL,
}


def log_path(name: str, restart_count: int) -> str:
    """Below the sandbox's log directory."""
    return f"{name}/{restart_count}.log"


def mount_of(mount: core_v1.VolumeMount, host_path: str) -> protocol.Mount:
    path = mount.mountPath if mount.mountPath.startswith("/") else "/" + mount.mountPath
    propagation = _PROPAGATIONS.get(mount.mountPropagation or "None", protocol.Propagation.PRIVATE)
    return protocol.Mount(container_path=path, host_path=host_path, read_only=mount.readOnly, propagation=propagation)


def config(
    pod: core_v1.Pod,
    container: labels.AnyContainer,
    *,
    image: protocol.Image,
    restart_count: int,
    env: Mapping[str, str],
    mounts: Sequence[protocol.Mount],
    message_file: str,
    memory_capacity: int,
) -> protocol.ContainerConfig:
    """Raises environment.ConfigError."""
    return protocol.ContainerConfig(
        name=container.name,
        attempt=restart_count,
        image=image.id,
        command=[expansion.expand(word, env) for word in container.command],
        args=[expansion.expand(word, env) for word in container.args],
        working_dir=container.workingDir,
        env=list(env.items()),
        mounts=mounts,
        labels=labels.container_labels(pod, container),
        annotations=labels.container_annotations(
            pod, container, restart_count=restart_count, message_file=message_file
        ),
        log_path=log_path(container.name, restart_count),
        stdin=container.stdin,
        stdin_once=container.stdinOnce,
        tty=container.tty,
        resources=resources.of(pod, container, memory_capacity),
        security=security.of_container(pod, container, image),
    )
