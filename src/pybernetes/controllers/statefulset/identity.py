"""What makes a pod of a StatefulSet that very one: its ordinal, its name and labels, its claims' names. Pure."""

from __future__ import annotations

import re

from pybernetes.api import codecs
from pybernetes.api.types import apps_v1, core_v1
from pybernetes.controllers import history, pods

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
_name = re.compile(r"(.*)-([0-9]+)", re.DOTALL).fullmatch
MOST = 2**31 - 1


def parent_and_ordinal(pod: core_v1.Pod) -> tuple[str, int]:
    """The name of the set that the pod's name speaks of, and the ordinal; ("", -1) for other names."""
    found = _name(pod.metadata.name)
    if found is None:
        return "", -1
    ordinal = int(found[2])
    return found[1], ordinal if ordinal <= MOST else -1


def ordinal_of(pod: core_v1.Pod) -> int:
    return parent_and_ordinal(pod)[1]


def is_member(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> bool:
    return parent_and_ordinal(pod)[0] == stateful_set.metadata.name


def start(stateful_set: apps_v1.StatefulSet) -> int:
    return stateful_set.spec.ordinals.start if stateful_set.spec.ordinals is not None else 0


def size(stateful_set: apps_v1.StatefulSet) -> int:
    return 1 if stateful_set.spec.replicas is None else stateful_set.spec.replicas


def in_range(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> bool:
    first = start(stateful_set)
    return first <= ordinal_of(pod) < first + size(stateful_set)


def claim_name(stateful_set: apps_v1.StatefulSet, template: core_v1.PersistentVolumeClaim, ordinal: int) -> str:
    return f"{template.metadata.name}-{stateful_set.metadata.name}-{ordinal}"


def revision_of(pod: core_v1.Pod) -> str:
    """The name of the ControllerRevision that the pod was made from."""
    return pod.metadata.labels.get(history.HASH_LABEL, "")


def new_pod(
    stateful_set: apps_v1.StatefulSet, template: core_v1.PodTemplateSpec, ordinal: int, revision: str
) -> core_v1.Pod:
    """The pod of that ordinal, by the template of that revision."""
    pod = pods.from_template(template, stateful_set)
    pod.metadata.generateName = ""
    pod.metadata.name = f"{stateful_set.metadata.name}-{ordinal}"
    pod.metadata.labels[history.HASH_LABEL] = revision
    pod.spec.hostname = pod.metadata.name
    pod.spec.subdomain = stateful_set.spec.serviceName
    _identify(pod)
    _attach(stateful_set, pod)
    return pod


def repaired(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> core_v1.Pod | None:
    """The pod with its identity and claims as they should be; None: they are."""
    identified = pod.metadata.labels.get(POD_NAME) == pod.metadata.name
    attached = _is_attached(stateful_set, pod)
    if identified and attached:
        return None
    copy = codecs.copy(pod)
    if not identified:
        _identify(copy)
    if not attached:
        _attach(stateful_set, copy)
    return copy


def _identify(pod: core_v1.Pod) -> None:
    pod.metadata.labels[POD_NAME] = pod.metadata.name
    pod.metadata.labels[POD_INDEX] = str(ordinal_of(pod))


def _is_attached(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> bool:
    claimed = {
        volume.name: volume.persistentVolumeClaim.claimName
        for volume in pod.spec.volumes
        if volume.persistentVolumeClaim is not None
    }
    ordinal = ordinal_of(pod)
    return all(
        claimed.get(template.metadata.name) == claim_name(stateful_set, template, ordinal)
        for template in stateful_set.spec.volumeClaimTemplates
    )


def _attach(stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> None:
    """Put the set's claims before the pod's other volumes, in the place of those that bear their names."""
    ordinal = ordinal_of(pod)
    ours = [
        core_v1.Volume(
            name=template.metadata.name,
            persistentVolumeClaim=core_v1.PersistentVolumeClaimVolumeSource(
                claimName=claim_name(stateful_set, template, ordinal)
            ),
        )
        for template in stateful_set.spec.volumeClaimTemplates
    ]
    taken = {volume.name for volume in ours}
    pod.spec.volumes = ours + [volume for volume in pod.spec.volumes if volume.name not in taken]
