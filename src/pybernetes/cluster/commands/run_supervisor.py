"""`pybernetes run-supervisor`: what `up` leaves in the background. It imports little, because it stays."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os

from pybernetes.cluster import layout, logs, progress, supervisor
from pybernetes.kits import clock as clocks

DESCRIPTION = "Supervise a cluster. Started by `pybernetes up`."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--progress", type=int, required=True, help="descriptor that the steps are told through")


def run(arguments: argparse.Namespace) -> int:
    """Tells its steps through the descriptor until somebody has heard `ready`."""
    paths = layout.Layout(arguments.data_dir)
    logging.basicConfig(level=logging.INFO, format=logs.FORMAT)
    options = layout.Options.read(paths.options)
    listener = os.fdopen(arguments.progress, "w")

    def tell(step: progress.Step) -> None:
        progress.tell(step.step, step.text, failed=step.failed, to=listener)
        if step.step == "ready" and not listener.closed:
            listener.close()

    with supervisor.held(paths, options):
        return asyncio.run(supervisor.Supervisor(paths, options, clock=clocks.SystemClock(), tell=tell).run())
