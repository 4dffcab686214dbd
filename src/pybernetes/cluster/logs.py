"""One log file per component, whichever process it runs in; and lines as text or JSON."""

from __future__ import annotations

import json
import logging
import pathlib
import sys
from collections.abc import Iterable

from pybernetes.cluster import layout
from pybernetes.kits import verbosity

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


class JsonFormatter(logging.Formatter):
    """Upstream's structured form: `ts` in milliseconds; `v` is of what is told, `err` of what went wrong."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": round(record.created * 1000, 4),
            "level": record.levelname.lower(),
            "logger": record.name,
            "caller": f"{pathlib.PurePath(record.pathname).name}:{record.lineno}",
            "msg": record.getMessage(),
        }
        if record.levelno < logging.WARNING:
            line["v"] = verbosity.DEBUG_FROM if record.levelno <= logging.DEBUG else 0
        if record.exc_info:
            line["err"] = str(record.exc_info[1])
            line["stacktrace"] = self.formatException(record.exc_info)
        return json.dumps(line, separators=(",", ":"))


# Values of `--logging-format`.
FORMATS = ("json", "text")


def to_standard_error(form: str, level: int) -> None:
    """For a program of its own; `form` is one of FORMATS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(FORMAT))
    logging.basicConfig(level=level, handlers=[handler])


def _handler(path: pathlib.Path) -> logging.Handler:
    from logging import handlers

    handler = handlers.RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=1, delay=True)
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler
