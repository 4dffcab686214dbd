"""The components that `hyperkube` runs. Each module is imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol, cast

# Name -> what it does.
COMPONENTS = {
    "kube-apiserver": "serves the Kubernetes API from a store",
    "kube-controller-manager": "runs the controllers",
    "kube-scheduler": "finds nodes for pods",
    "kubelet": "makes this machine a node, and runs its pods",
    "kube-proxy": "leads what is sent to Services to their pods",
}


class Component(Protocol):
    def main(self, words: Sequence[str]) -> int: ...


def load(name: str) -> Component:
    module = importlib.import_module(f"{__package__}.{name.replace('-', '_')}.command")
    return cast("Component", module)
