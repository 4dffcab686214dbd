"""`pybernetes logs`."""

from __future__ import annotations

import argparse
import os
import sys

from pybernetes.cluster import layout
from pybernetes.cluster import logs as cluster_logs

DESCRIPTION = f"""\
Show the log of a part of the cluster: {", ".join(cluster_logs.ALL)}.

examples:
  pybernetes logs kubelet
  pybernetes logs kube-apiserver -f
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("component", choices=cluster_logs.ALL, metavar="COMPONENT", help="whose log")
    parser.add_argument("-f", "--follow", action="store_true", help="go on showing what is added")
    parser.add_argument("-n", "--lines", type=int, default=100, help="how many lines from the end (100)")


def run(arguments: argparse.Namespace) -> int:
    path = layout.Layout(arguments.data_dir).log(arguments.component)
    if not path.exists():
        print(f"{arguments.component} has logged nothing yet ({path}).", file=sys.stderr)
        return 0
    command = ["tail", "-n", str(arguments.lines), *(["-F"] if arguments.follow else []), str(path)]
    os.execvp(command[0], command)
    raise AssertionError("unreachable")
