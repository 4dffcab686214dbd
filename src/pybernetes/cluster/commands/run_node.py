"""`pybernetes run-node`."""

from __future__ import annotations

import argparse

from pybernetes.cluster import layout, processes

DESCRIPTION = "The node process: containerd, kubelet and proxy. Started by the supervisor."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None beyond the data directory."""


def run(arguments: argparse.Namespace) -> int:
    return processes.run_node(layout.Layout(arguments.data_dir))
