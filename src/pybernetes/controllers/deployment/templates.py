"""Which ReplicaSet carries which pod template: comparison, hash, names, revisions."""

from __future__ import annotations

import json

import msgspec

from pybernetes.api import codecs
from pybernetes.api.types import apps_v1, core_v1, meta_v1
from pybernetes.kits import chance

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    )
)
HISTORY_LENGTH = 2000
NAME_LENGTH = 253


def same(one: core_v1.PodTemplateSpec, other: core_v1.PodTemplateSpec) -> bool:
    """Whether two templates are equal but for the hash label."""
    return one.spec == other.spec and _comparable(one) == _comparable(other)


def _comparable(template: core_v1.PodTemplateSpec) -> meta_v1.ObjectMeta:
    labels = {key: value for key, value in template.metadata.labels.items() if key != HASH_LABEL}
    return msgspec.structs.replace(template.metadata, labels=labels)


def hash_of(template: core_v1.PodTemplateSpec, collisions: int | None) -> str:
    """A short name for a template: 32-bit FNV-1a in letters that spell no words; other for each collision count."""
    value = 2166136261
    # By sorted keys: the order in which somebody wrote their labels must not count.
    text = json.dumps(codecs.to_tree(template), sort_keys=True).encode()
    for byte in text + (b"" if collisions is None else collisions.to_bytes(8, "little")):
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    alphabet = chance.NAME_ALPHABET
    return "".join(alphabet[ord(digit) % len(alphabet)] for digit in str(value))


def set_name(deployment: str, template_hash: str) -> str:
    return f"{deployment[: NAME_LENGTH - 1 - len(template_hash)]}-{template_hash}"


def by_age(sets: list[apps_v1.ReplicaSet]) -> list[apps_v1.ReplicaSet]:
    """Oldest first."""
    return sorted(sets, key=lambda one: (one.metadata.creationTimestamp or "", one.metadata.name))


def find_new(deployment: apps_v1.Deployment, sets: list[apps_v1.ReplicaSet]) -> apps_v1.ReplicaSet | None:
    """The set that carries the deployment's template; the oldest, should there be more than one."""
    for one in by_age(sets):
        if same(one.spec.template, deployment.spec.template):
            return one
    return None


def revision_of(one: apps_v1.ReplicaSet) -> int:
    """0 where it has none, or none that can be read."""
    try:
        return int(one.metadata.annotations.get(REVISION, "0"))
    except ValueError:
        return 0


def max_revision(sets: list[apps_v1.ReplicaSet]) -> int:
    return max(map(revision_of, sets), default=0)


def annotate(one: apps_v1.ReplicaSet, deployment: apps_v1.Deployment, revision: int) -> bool:
    """Copy the deployment's annotations and raise the revision, in place; answers whether that changed anything.

    A set that had a revision before is being rolled back to: the earlier one goes to its history.
    """
    annotations = one.metadata.annotations
    before = dict(annotations)
    annotations.update({k: v for k, v in deployment.metadata.annotations.items() if k not in _NOT_COPIED})
    old = annotations.get(REVISION, "")
    if old and not old.lstrip("+-").isdigit():
        return annotations != before
    if int(old or "0") < revision:
        annotations[REVISION] = str(revision)
        if old:
            history = [entry for entry in annotations.get(REVISION_HISTORY, "").split(",") if entry]
            history.append(old)
            while len(history) > 1 and len(",".join(history)) > HISTORY_LENGTH:
                history.pop(0)
            annotations[REVISION_HISTORY] = ",".join(history)
    return annotations != before


def annotate_sizes(one: apps_v1.ReplicaSet, desired: int, most: int) -> bool:
    """Note the deployment's size on the set, in place; that is how a later scaling is told from a rollout."""
    annotations = one.metadata.annotations
    if annotations.get(DESIRED_REPLICAS) == str(desired) and annotations.get(MAX_REPLICAS) == str(most):
        return False
    annotations[DESIRED_REPLICAS] = str(desired)
    annotations[MAX_REPLICAS] = str(most)
    return True


def noted(one: apps_v1.ReplicaSet, annotation: str) -> int | None:
    """The number that `annotate_sizes` left; None where there is none that can be read."""
    text = one.metadata.annotations.get(annotation, "")
    if not text.isascii() or not text.isdigit():
        return None
    value = int(text)
    return value if value < 2**31 else None
