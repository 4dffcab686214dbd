"""CRI messages <-> the plain shapes of `runtime.protocol`; nothing else knows both."""

from __future__ import annotations

from typing import cast

import grpc

from pybernetes.runtime import protocol
from pybernetes.runtime.cri.v1 import cri_pb2 as pb

NANOSECONDS = 1_000_000_000

_NAMESPACES = {
    protocol.Namespace.POD: pb.POD,
    protocol.Namespace.CONTAINER: pb.CONTAINER,
    protocol.Namespace.NODE: pb.NODE,
}
_PROPAGATIONS = {
    protocol.Propagation.PRIVATE: pb.PROPAGATION_PRIVATE,
    protocol.Propagation.HOST_TO_CONTAINER: pb.PROPAGATION_HOST_TO_CONTAINER,
    protocol.Propagation.BIDIRECTIONAL: pb.PROPAGATION_BIDIRECTIONAL,
}
_CONTAINER_STATES = {
    pb.CONTAINER_CREATED: protocol.ContainerState.CREATED,
    pb.CONTAINER_RUNNING: protocol.ContainerState.RUNNING,
    pb.CONTAINER_EXITED: protocol.ContainerState.EXITED,
    pb.CONTAINER_UNKNOWN: protocol.ContainerState.UNKNOWN,
}
_SANDBOX_STATES = {
    pb.SANDBOX_READY: protocol.SandboxState.READY,
    pb.SANDBOX_NOTREADY: protocol.SandboxState.NOT_READY,
}
_PROTOCOLS = {"TCP": pb.TCP, "UDP": pb.UDP, "SCTP": pb.SCTP}


_GO_CODES = {"OK": "OK", "CANCELLED": "Canceled"}


def error(failed: grpc.RpcError) -> protocol.Error:
    """A failed call as the seam's error, with the runtime's own words."""
    code = failed.code()
    # Go's words for it, which upstream shows in statuses and events.
    details = (
        f"rpc error: code = {_GO_CODES.get(code.name, code.name.title().replace('_', ''))} desc = {failed.details()}"
    )
    if code == grpc.StatusCode.NOT_FOUND:
        return protocol.NotFound(details)
    if code == grpc.StatusCode.UNAVAILABLE:
        return protocol.Unavailable(details)
    return protocol.Error(details)


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / NANOSECONDS if nanoseconds > 0 else 0.0


def _namespaces(given: protocol.Namespaces) -> pb.NamespaceOption:
    return pb.NamespaceOption(
        network=_NAMESPACES[given.network], pid=_NAMESPACES[given.pid], ipc=_NAMESPACES[given.ipc]
    )


def _profile(given: protocol.Profile) -> pb.SecurityProfile:
    kind = cast("pb.SecurityProfile.ProfileType", pb.SecurityProfile.ProfileType.Value(given.type))
    return pb.SecurityProfile(profile_type=kind, localhost_ref=given.path)


def _int64(value: int | None) -> pb.Int64Value | None:
    return None if value is None else pb.Int64Value(value=value)


def _group_policy(given: protocol.Security) -> pb.SupplementalGroupsPolicy:
    return pb.Strict if given.strict_groups else pb.Merge


def sandbox_config(given: protocol.SandboxConfig) -> pb.PodSandboxConfig:
    security = pb.LinuxSandboxSecurityContext(
        namespace_options=_namespaces(given.security.namespaces),
        run_as_user=_int64(given.security.run_as_user),
        run_as_group=_int64(given.security.run_as_group),
        readonly_rootfs=given.security.read_only_root,
        supplemental_groups=given.security.supplemental_groups,
        supplemental_groups_policy=_group_policy(given.security),
        privileged=given.security.privileged,
        seccomp=_profile(given.security.seccomp),
    )
    return pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(
            name=given.name, namespace=given.namespace, uid=given.uid, attempt=given.attempt
        ),
        hostname=given.hostname,
        log_directory=given.log_directory,
        dns_config=pb.DNSConfig(servers=given.dns.servers, searches=given.dns.searches, options=given.dns.options),
        port_mappings=[
            pb.PortMapping(
                protocol=_PROTOCOLS[port.protocol],
                container_port=port.container_port,
                host_port=port.host_port,
                host_ip=port.host_ip,
            )
            for port in given.port_mappings
        ],
        labels=given.labels,
        annotations=given.annotations,
        linux=pb.LinuxPodSandboxConfig(
            cgroup_parent=given.cgroup_parent, security_context=security, sysctls=given.sysctls
        ),
    )


def resources(given: protocol.Resources) -> pb.LinuxContainerResources:
    return pb.LinuxContainerResources(
        cpu_period=given.cpu_period,
        cpu_quota=given.cpu_quota,
        cpu_shares=given.cpu_shares,
        memory_limit_in_bytes=given.memory_limit,
        oom_score_adj=given.oom_score_adj,
        unified=given.unified,
    )


def container_config(given: protocol.ContainerConfig) -> pb.ContainerConfig:
    security = pb.LinuxContainerSecurityContext(
        capabilities=pb.Capability(
            add_capabilities=given.security.add_capabilities, drop_capabilities=given.security.drop_capabilities
        ),
        privileged=given.security.privileged,
        namespace_options=_namespaces(given.security.namespaces),
        run_as_user=_int64(given.security.run_as_user),
        run_as_group=_int64(given.security.run_as_group),
        readonly_rootfs=given.security.read_only_root,
        supplemental_groups=given.security.supplemental_groups,
        supplemental_groups_policy=_group_policy(given.security),
        no_new_privs=given.security.no_new_privileges,
        masked_paths=given.security.masked_paths,
        readonly_paths=given.security.read_only_paths,
        seccomp=_profile(given.security.seccomp),
    )
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name=given.name, attempt=given.attempt),
        image=pb.ImageSpec(image=given.image),
        command=given.command,
        args=given.args,
        working_dir=given.working_dir,
        envs=[pb.KeyValue(key=key, value=value.encode()) for key, value in given.env],
        mounts=[
            pb.Mount(
                container_path=mount.container_path,
                host_path=mount.host_path,
                readonly=mount.read_only,
                propagation=_PROPAGATIONS[mount.propagation],
            )
            for mount in given.mounts
        ],
        labels=given.labels,
        annotations=given.annotations,
        log_path=given.log_path,
        stdin=given.stdin,
        stdin_once=given.stdin_once,
        tty=given.tty,
        linux=pb.LinuxContainerConfig(resources=resources(given.resources), security_context=security),
    )


def sandbox(given: pb.PodSandbox) -> protocol.Sandbox:
    return protocol.Sandbox(
        id=given.id,
        name=given.metadata.name,
        namespace=given.metadata.namespace,
        uid=given.metadata.uid,
        attempt=given.metadata.attempt,
        state=_SANDBOX_STATES[given.state],
        created_at=_seconds(given.created_at),
        labels=dict(given.labels),
        annotations=dict(given.annotations),
    )


def sandbox_status(given: pb.PodSandboxStatus) -> protocol.SandboxStatus:
    ips = [given.network.ip] if given.network.ip else []
    ips += [extra.ip for extra in given.network.additional_ips]
    return protocol.SandboxStatus(
        id=given.id, state=_SANDBOX_STATES[given.state], created_at=_seconds(given.created_at), ips=ips
    )


def container(given: pb.Container) -> protocol.Container:
    return protocol.Container(
        id=given.id,
        sandbox_id=given.pod_sandbox_id,
        name=given.metadata.name,
        attempt=given.metadata.attempt,
        image=given.image.image,
        image_ref=given.image_ref,
        state=_CONTAINER_STATES[given.state],
        created_at=_seconds(given.created_at),
        labels=dict(given.labels),
        annotations=dict(given.annotations),
    )


def container_status(given: pb.ContainerStatus) -> protocol.ContainerStatus:
    return protocol.ContainerStatus(
        id=given.id,
        name=given.metadata.name,
        attempt=given.metadata.attempt,
        state=_CONTAINER_STATES[given.state],
        created_at=_seconds(given.created_at),
        started_at=_seconds(given.started_at),
        finished_at=_seconds(given.finished_at),
        exit_code=given.exit_code,
        image=given.image.image,
        image_ref=given.image_ref,
        image_id=given.image_id,
        reason=given.reason,
        message=given.message,
        labels=dict(given.labels),
        annotations=dict(given.annotations),
        log_path=given.log_path,
    )


def container_stats(given: pb.ContainerStats) -> protocol.ContainerStats:
    return protocol.ContainerStats(
        id=given.attributes.id,
        time=_seconds(given.cpu.timestamp or given.memory.timestamp),
        labels=dict(given.attributes.labels),
        cpu_nanoseconds=given.cpu.usage_core_nano_seconds.value,
        working_set=given.memory.working_set_bytes.value,
        memory_usage=given.memory.usage_bytes.value,
        rss=given.memory.rss_bytes.value,
        writable_bytes=given.writable_layer.used_bytes.value,
    )


def image(given: pb.Image) -> protocol.Image:
    return protocol.Image(
        id=given.id,
        tags=list(given.repo_tags),
        digests=list(given.repo_digests),
        size=given.size,
        uid=given.uid.value if given.HasField("uid") else None,
        username=given.username,
    )


def credentials(given: protocol.Credentials) -> pb.AuthConfig:
    return pb.AuthConfig(
        username=given.username,
        password=given.password,
        server_address=given.server,
        identity_token=given.identity_token,
        registry_token=given.registry_token,
    )
