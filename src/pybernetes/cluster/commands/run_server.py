"""`pybernetes run-server`."""

from __future__ import annotations

import argparse

from pybernetes.cluster import layout, processes

DESCRIPTION = "The server process: API server, controllers and scheduler. Started by the supervisor."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None beyond the data directory."""


def run(arguments: argparse.Namespace) -> int:
    return processes.run_server(layout.Layout(arguments.data_dir))
