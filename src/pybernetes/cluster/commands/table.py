"""The commands, in the order in which `pybernetes --help` lists them. Each module is imported when it is used."""

from __future__ import annotations

import argparse
import importlib
from typing import Protocol, cast

# Name -> what it does. The modules carry the long description.
COMMANDS = {
    "up": "start a cluster on this machine",
    "down": "stop the cluster and leave nothing running",
    "status": "say whether the cluster is up, and where",
    "kubectl": "run kubectl against the cluster",
    "image": "load container images into the cluster",
    "logs": "show the log of a component",
    "snapshot": "save all objects in a file, and put them back",
}
# Started by the supervisor, not by people.
INTERNAL = ("run-server", "run-node")


class Command(Protocol):
    DESCRIPTION: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def load(name: str) -> Command:
    module = importlib.import_module(f"pybernetes.cluster.commands.{name.replace('-', '_')}")
    return cast("Command", module)
