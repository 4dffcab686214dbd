"""A node's status from the machine, the runtime and the clock. Pure; reasons and messages are upstream's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pybernetes.api.quantity import BINARY_SI, Quantity
from pybernetes.api.types import core_v1
from pybernetes.kubelet import settings as kubelet_settings
from pybernetes.kubelet.node import machine as machines
from pybernetes.runtime import protocol

# Upstream's limits: names per image, images per node.
MAX_NAMES, MAX_IMAGES = 5, 50
# What upstream holds back for eviction: 100Mi of memory, 10 % of the disk.
EVICTION_MEMORY = 100 * 1024 * 1024
EVICTION_DISK = 0.10

_PRESSURES = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


def _bytes(amount: int) -> Quantity:
    kibi, rest = divmod(amount, 1024)
    return Quantity(f"{kibi}Ki") if not rest else Quantity.of(amount, BINARY_SI)


def capacity(machine: machines.Machine, settings: kubelet_settings.Settings) -> dict[str, Quantity]:
    found = {
        "cpu": Quantity(str(machine.cpus)),
        "ephemeral-storage": _bytes(machine.disk // 1024 * 1024),
        "hugepages-1Gi": Quantity("0"),
        "hugepages-2Mi": Quantity("0"),
        "memory": _bytes(machine.memory),
        "pods": Quantity(str(settings.max_pods)),
    }
    return found | {name: Quantity.parse(text) for name, text in settings.capacity.items()}


def allocatable(whole: Mapping[str, Quantity]) -> dict[str, Quantity]:
    found = dict(whole)
    found["memory"] = _bytes(max(whole["memory"].as_int() - EVICTION_MEMORY, 0))
    found["ephemeral-storage"] = Quantity(str(int(whole["ephemeral-storage"].as_int() * (1 - EVICTION_DISK))))
    return found


def _ready(runtime: Sequence[protocol.Condition] | None, trouble: str) -> tuple[bool, str, str]:
    problems = []
    if runtime is None:
        problems.append(
            f"container runtime is down: {trouble}"
            if trouble
            else "container runtime status check may not have completed yet"
        )
    words = {"NetworkReady": "container runtime network", "RuntimeReady": "container runtime"}
    for condition in runtime or ():
        if not condition.status and condition.type in words:
            said = f"{condition.type}=false reason:{condition.reason} message:{condition.message}"
            problems.append(f"{words[condition.type]} not ready: {said}")
    if not problems:
        return True, "KubeletReady", "kubelet is posting ready status"
    text = problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]"
    return False, "KubeletNotReady", text


def conditions(
    before: Sequence[core_v1.NodeCondition],
    *,
    runtime: Sequence[protocol.Condition] | None,
    trouble: str = "",
    now: str,
) -> list[core_v1.NodeCondition]:
    """`runtime` is what it says about itself, None when it does not answer; conditions of others stay in front."""
    known = {condition.type: condition for condition in before}
    fresh = [(kind, False, reason, message) for kind, reason, message in _PRESSURES]
    fresh.append(("Ready", *_ready(runtime, trouble)))
    ours = {kind for kind, _, _, _ in fresh}
    result = [condition for condition in before if condition.type not in ours]
    for kind, holds, reason, message in fresh:
        status = "True" if holds else "False"
        old = known.get(kind)
        same = old is not None and old.status == status
        result.append(
            core_v1.NodeCondition(
                type=kind,
                status=status,
                reason=reason,
                message=message,
                lastHeartbeatTime=now,
                lastTransitionTime=old.lastTransitionTime if same and old is not None else now,
            )
        )
    return result


def image_list(images: Sequence[protocol.Image]) -> list[core_v1.ContainerImage]:
    """The largest first."""
    listed = [
        core_v1.ContainerImage(names=[*image.digests, *image.tags][:MAX_NAMES], sizeBytes=image.size)
        for image in images
        if image.tags or image.digests
    ]
    return sorted(listed, key=lambda image: image.sizeBytes, reverse=True)[:MAX_IMAGES]


def info(
    machine: machines.Machine, runtime: protocol.Version | None, settings: kubelet_settings.Settings
) -> core_v1.NodeSystemInfo:
    version = "" if runtime is None else f"{runtime.runtime_name}://{runtime.runtime_version.split('~')[0]}"
    return core_v1.NodeSystemInfo(
        architecture=machine.architecture,
        bootID=machine.boot_id,
        containerRuntimeVersion=version,
        kernelVersion=machine.kernel,
        kubeProxyVersion="",
        kubeletVersion=settings.version,
        machineID=machine.machine_id,
        operatingSystem="linux",
        osImage=machine.os_image,
        swap=core_v1.NodeSwapStatus(capacity=machine.swap) if machine.swap else None,
        systemUUID=machine.system_uuid,
    )


def labels(machine: machines.Machine, settings: kubelet_settings.Settings) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "kubernetes.io/hostname": settings.node_name,
        "kubernetes.io/os": "linux",
        **settings.labels,
    }


def addresses(machine: machines.Machine, settings: kubelet_settings.Settings) -> list[core_v1.NodeAddress]:
    return [
        core_v1.NodeAddress(type="InternalIP", address=settings.node_ip or machine.address),
        core_v1.NodeAddress(type="Hostname", address=settings.node_name),
    ]
