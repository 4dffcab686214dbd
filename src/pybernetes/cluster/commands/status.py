"""`pybernetes status`."""

from __future__ import annotations

import argparse
import asyncio

from pybernetes.api import errors
from pybernetes.api.types import core_v1
from pybernetes.client import kubeconfig
from pybernetes.cluster import layout, supervisor

DESCRIPTION = """\
Say whether the cluster is up, where it answers, and how its parts are.
The exit status is 0 if all of it is well, 1 if something is not, 3 if the cluster is down.
"""
DOWN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None beyond the data directory."""


def run(arguments: argparse.Namespace) -> int:
    paths = layout.Layout(arguments.data_dir)
    pid = supervisor.running_pid(paths)
    if not pid:
        print("The cluster is down. `pybernetes up` starts it.")
        return DOWN
    options = layout.Options.read(paths.options)
    print(f"The cluster is up (process {pid}).")
    print(f"  API server  https://{options.node_ip}:{options.api_port}")
    print(f"  kubeconfig  {paths.kubeconfig}")
    print(f"  data        {paths.data} ({options.store})")
    print(f"  runtime     {options.runtime}")
    print(f"  logs        {paths.logs}")
    return asyncio.run(_ask(paths))


async def _ask(paths: layout.Layout) -> int:
    client = kubeconfig.client(paths.kubeconfig)
    well = True
    try:
        for component in (await client.list(core_v1.ComponentStatus)).items:
            healthy = component.conditions[0].status == "True"
            well = well and healthy
            print(f"  {component.metadata.name:<20}{'Healthy' if healthy else component.conditions[0].error}")
        for node in (await client.list(core_v1.Node)).items:
            ready = any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)
            well = well and ready
            print(f"  node {node.metadata.name:<15}{'Ready' if ready else 'NotReady'}")
    except (ConnectionError, errors.StatusError) as error:
        print(f"  the API server does not answer: {error}")
        return 1
    finally:
        await client.close()
    return 0 if well else 1
