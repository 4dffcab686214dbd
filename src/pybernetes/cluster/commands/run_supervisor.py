"""`pybernetes run-supervisor`: what `up` leaves in the background."""

from __future__ import annotations

import argparse

from pybernetes.cluster import layout
from pybernetes.cluster.commands import up

DESCRIPTION = "Supervise a cluster. Started by `pybernetes up`."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--progress", type=int, required=True, help="descriptor that the steps are told through")


def run(arguments: argparse.Namespace) -> int:
    return up.supervise_in_background(layout.Layout(arguments.data_dir), arguments.progress)
