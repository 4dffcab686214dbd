"""One log file per component, whichever process it runs in."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Iterable

from pybernetes.cluster import layout

FORMAT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"
# Which loggers make up a component.
COMPONENTS = {
    "kube-apiserver": ("pybernetes.apiserver", "pybernetes.store"),
    "kube-controller-manager": ("pybernetes.controllers",),
    "kube-scheduler": ("pybernetes.scheduler",),
    "kubelet": ("pybernetes.kubelet", "pybernetes.runtime", "pybernetes.network"),
    "kube-proxy": ("pybernetes.proxy",),
}
ALL = (*COMPONENTS, "supervisor", "server", "node", "containerd")
MAX_BYTES = 10_000_000


def setup(paths: layout.Layout, process: str, components: Iterable[str], *, level: int = logging.INFO) -> None:
    """Send each component's records to its file, and the rest to the process's own."""
    paths.logs.mkdir(parents=True, exist_ok=True)
    logging.getLogger().setLevel(level)
    logging.getLogger().addHandler(_handler(paths.log(process)))
    for component in components:
        handler = _handler(paths.log(component))
        for name in COMPONENTS[component]:
            logger = logging.getLogger(name)
            logger.addHandler(handler)
            logger.propagate = False


def _handler(path: pathlib.Path) -> logging.Handler:
    from logging import handlers

    handler = handlers.RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=1, delay=True)
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler
