"""Security contexts of pod and container as the runtime's settings. Pure."""

from __future__ import annotations

from pybernetes.api.types import core_v1
from pybernetes.kubelet.containers import environment, labels
from pybernetes.runtime import protocol

# What upstream hides from containers whose procMount is Default.
MASKED_PATHS = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def namespaces(spec: core_v1.PodSpec) -> protocol.Namespaces:
    node, pod = protocol.Namespace.NODE, protocol.Namespace.POD
    own = pod if spec.shareProcessNamespace else protocol.Namespace.CONTAINER
    return protocol.Namespaces(
        network=node if spec.hostNetwork else pod, pid=node if spec.hostPID else own, ipc=node if spec.hostIPC else pod
    )


def _profile(
    given: core_v1.SeccompProfile | None, *, privileged: bool, default: protocol.Profile | None = None
) -> protocol.Profile:
    if privileged or given is None:
        return default or protocol.Profile(type="Unconfined")
    if given.type == "Localhost":
        return protocol.Profile(type="Localhost", path=f"/var/lib/kubelet/seccomp/{given.localhostProfile or ''}")
    return protocol.Profile(type=given.type)


def _groups(context: core_v1.PodSecurityContext) -> list[int]:
    groups = list(context.supplementalGroups)
    if context.fsGroup is not None:
        groups.append(context.fsGroup)
    return groups


def of_sandbox(pod: core_v1.Pod) -> protocol.Security:
    context = pod.spec.securityContext or core_v1.PodSecurityContext()
    everyone = [*pod.spec.initContainers, *pod.spec.containers]
    privileged = any(c.securityContext is not None and c.securityContext.privileged for c in everyone)
    return protocol.Security(
        privileged=privileged,
        run_as_user=context.runAsUser,
        run_as_group=context.runAsGroup if context.runAsUser is not None else None,
        supplemental_groups=_groups(context),
        strict_groups=context.supplementalGroupsPolicy == "Strict",
        seccomp=_profile(
            context.seccompProfile, privileged=privileged, default=protocol.Profile(type="RuntimeDefault")
        ),
        namespaces=namespaces(pod.spec),
    )


def of_container(pod: core_v1.Pod, container: labels.AnyContainer, image: protocol.Image | None) -> protocol.Security:
    """Raises ConfigError where runAsNonRoot forbids what the image would do."""
    context = pod.spec.securityContext or core_v1.PodSecurityContext()
    own = container.securityContext or core_v1.SecurityContext()
    user = own.runAsUser if own.runAsUser is not None else context.runAsUser
    group = own.runAsGroup if own.runAsGroup is not None else context.runAsGroup
    non_root = own.runAsNonRoot if own.runAsNonRoot is not None else context.runAsNonRoot
    if non_root:
        _refuse_root(pod, container, user, image)
    if user is None and image is not None and image.uid is not None:
        user = image.uid
    if user is None and group is not None:
        # The runtime takes a group only together with a user.
        user = 0
    privileged = bool(own.privileged)
    default_proc = (own.procMount or "Default") == "Default" and not privileged
    capabilities = own.capabilities or core_v1.Capabilities()
    return protocol.Security(
        privileged=privileged,
        run_as_user=user,
        run_as_group=group,
        supplemental_groups=_groups(context),
        strict_groups=context.supplementalGroupsPolicy == "Strict",
        read_only_root=bool(own.readOnlyRootFilesystem),
        no_new_privileges=own.allowPrivilegeEscalation is False,
        add_capabilities=capabilities.add,
        drop_capabilities=capabilities.drop,
        masked_paths=MASKED_PATHS if default_proc else (),
        read_only_paths=READ_ONLY_PATHS if default_proc else (),
        seccomp=_profile(own.seccompProfile or context.seccompProfile, privileged=privileged),
        namespaces=namespaces(pod.spec),
    )


def _refuse_root(
    pod: core_v1.Pod, container: labels.AnyContainer, user: int | None, image: protocol.Image | None
) -> None:
    where = f'(pod: "{labels.shown(pod)}", container: {container.name})'
    if user is not None:
        if user == 0:
            raise environment.ConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    if image is not None and image.uid is not None:
        if image.uid == 0:
            raise environment.ConfigError(f"container has runAsNonRoot and image will run as root {where}")
        return
    if image is not None and image.username:
        raise environment.ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), "
            f"cannot verify user is non-root {where}"
        )
    raise environment.ConfigError(f"container has runAsNonRoot and image will run as root {where}")
