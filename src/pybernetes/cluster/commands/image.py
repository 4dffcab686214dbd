"""`pybernetes image`."""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import sys

from pybernetes.cluster import layout, supervisor
from pybernetes.cluster.commands import arguments as shared

DESCRIPTION = """\
Load container images into the cluster from an archive, in OCI layout or as `docker save` writes it.

examples:
  docker save app:1 -o app.tar && pybernetes image load app.tar
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    load = actions.add_parser("load", help="load the images of an archive", description="Load the images of archives.")
    shared.add_data_dir(load, suppressed=True)
    load.add_argument("files", nargs="+", type=pathlib.Path, metavar="FILE", help="a tar archive")


def run(arguments: argparse.Namespace) -> int:
    paths = layout.Layout(arguments.data_dir)
    if not supervisor.running_pid(paths):
        print("The cluster is down; `pybernetes up` starts it.", file=sys.stderr)
        return 1
    if layout.Options.read(paths.options).runtime == "simulated":
        print("The simulated runtime has every image already.")
        return 0
    from pybernetes.cluster import containerd, images

    socket = containerd.Layout.under(paths.data, paths.run).socket
    for file in arguments.files:
        try:
            names = asyncio.run(images.load(file, socket=socket))
        except images.ImportFailed as error:
            print(f"{file}: {error}", file=sys.stderr)
            return 1
        for name in names:
            print(f"Loaded {name}")
    return 0
