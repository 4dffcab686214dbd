"""Manifests in a line."""

from __future__ import annotations

from typing import Any

from tests.images import busybox

# As process 1, sh would not end on SIGTERM without a trap; and a trap waits for what runs in the foreground.
FOREVER = "while :; do sleep 1000 & wait $!; done"


def container(name: str = "c", script: str = FOREVER, **more: Any) -> dict[str, Any]:
    """Runs the script with sh, and ends at once when asked to."""
    command = ["/bin/sh", "-c", f"trap 'exit 0' TERM\n{script}"]
    return {"name": name, "image": busybox.IMAGE, "command": command, **more}


def pod(name: str, *containers: dict[str, Any], labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"app": name}},
        "spec": {"containers": list(containers) or [container()], **spec},
    }


def deployment(name: str, *containers: dict[str, Any], replicas: int = 1) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": list(containers) or [container()]}},
        },
    }


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
