"""An operator as kopf's tutorial builds one: a volume claim for each EphemeralVolumeClaim, kept as it is changed."""

from __future__ import annotations

from typing import Any

import kopf
import kubernetes


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.loggers = True
    settings.watching.server_timeout = 30


@kopf.on.create("ephemeralvolumeclaims")
def create_fn(spec: Any, name: str, namespace: str, logger: Any, **_: Any) -> dict[str, str]:
    size = spec.get("size")
    if not size:
        raise kopf.PermanentError(f"Size must be set. Got {size!r}.")
    data: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }
    kopf.adopt(data)
    api = kubernetes.client.CoreV1Api()
    obj = api.create_namespaced_persistent_volume_claim(namespace=namespace, body=data)
    logger.info(f"PVC child is created: {obj.metadata.name}")
    return {"pvc-name": obj.metadata.name}


@kopf.on.update("ephemeralvolumeclaims")
def update_fn(spec: Any, status: Any, namespace: str, logger: Any, **_: Any) -> None:
    name = status["create_fn"]["pvc-name"]
    patch = {"metadata": {"labels": {"wanted-size": spec["size"]}}}
    kubernetes.client.CoreV1Api().patch_namespaced_persistent_volume_claim(name, namespace, patch)
    logger.info(f"PVC child is updated: {name}")


@kopf.on.field("ephemeralvolumeclaims", field="metadata.labels")
def relabel(new: Any, status: Any, namespace: str, **_: Any) -> None:
    if "create_fn" in status and new:
        name = status["create_fn"]["pvc-name"]
        patch = {"metadata": {"labels": dict(new)}}
        kubernetes.client.CoreV1Api().patch_namespaced_persistent_volume_claim(name, namespace, patch)


@kopf.on.delete("ephemeralvolumeclaims")
def delete_fn(name: str, logger: Any, **_: Any) -> None:
    logger.info(f"{name} goes")
