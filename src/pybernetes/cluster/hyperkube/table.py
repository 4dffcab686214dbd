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
}
# Upstream's, which so far run only as parts of `pybernetes up`.
NOT_YET = ("kubelet", "kube-proxy")


class Component(Protocol):
    def main(self, words: Sequence[str]) -> int: ...


def load(name: str) -> Component:
    module = importlib.import_module(f"{__package__}.{name.replace('-', '_')}.command")
    return cast("Component", module)
