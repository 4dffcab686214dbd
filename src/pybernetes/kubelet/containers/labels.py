"""What containers and sandboxes are marked with in the runtime, so that a restarted kubelet finds them again."""

from __future__ import annotations

import hashlib

from pybernetes.api import codecs
from pybernetes.api.types import core_v1

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"

HASH = "io.kubernetes.container.hash"
RESTART_COUNT = "io.kubernetes.container.restartCount"
TERMINATION_MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
TERMINATION_MESSAGE_POLICY = "io.kubernetes.container.terminationMessagePolicy"
TERMINATION_MESSAGE_FILE = "pybernetes.io/termination-message-file"
GRACE_PERIOD = "io.kubernetes.pod.terminationGracePeriod"

AnyContainer = core_v1.Container | core_v1.EphemeralContainer


def container_hash(container: AnyContainer) -> str:
    """Changes when the container must be replaced: upstream hashes the name and the image."""
    return hashlib.sha256(codecs.encode([container.name, container.image])).hexdigest()[:16]


def pod_labels(pod: core_v1.Pod) -> dict[str, str]:
    return {POD_NAME: pod.metadata.name, POD_NAMESPACE: pod.metadata.namespace, POD_UID: pod.metadata.uid}


def container_labels(pod: core_v1.Pod, container: AnyContainer) -> dict[str, str]:
    return {**pod_labels(pod), CONTAINER_NAME: container.name}


def container_annotations(
    pod: core_v1.Pod, container: AnyContainer, *, restart_count: int, message_file: str
) -> dict[str, str]:
    grace = pod.spec.terminationGracePeriodSeconds
    return {
        HASH: container_hash(container),
        RESTART_COUNT: str(restart_count),
        TERMINATION_MESSAGE_PATH: container.terminationMessagePath,
        TERMINATION_MESSAGE_POLICY: container.terminationMessagePolicy,
        TERMINATION_MESSAGE_FILE: message_file,
        GRACE_PERIOD: str(30 if grace is None else grace),
    }


def shown(pod: core_v1.Pod) -> str:
    """A pod as messages name it: `web_default(1b2c...)`."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"
