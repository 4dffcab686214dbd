"""The command line of `hyperkube kube-scheduler`."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes import client as clients
from pybernetes import scheduler
from pybernetes.cluster import processes
from pybernetes.cluster import tools as toolboxes
from pybernetes.cluster.hyperkube import connection, running, values
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

NAME = "kube-scheduler"
DESCRIPTION = """\
Run the scheduler: it gives every pod the node that suits it best, and makes room for more important ones.

usage: hyperkube kube-scheduler [FLAGS]

examples:
  hyperkube kube-scheduler --kubeconfig=scheduler.conf
  hyperkube kube-scheduler --master=http://127.0.0.1:8080 --leader-elect=false
  hyperkube kube-scheduler --config=scheduler-config.yaml
"""
TABLE = (
    flags_.Flag(
        "config",
        values.STRING,
        "",
        "File with a KubeSchedulerConfiguration: profiles, plugins and their arguments, extenders.",
        "Scheduler flags",
    ),
    *connection.TABLE,
)


def main(words: Sequence[str]) -> int:
    return running.run(NAME, DESCRIPTION, TABLE, words, _make)


def _make(given: Mapping[str, Any], clock: clocks.Clock) -> processes.Part:
    chance = chances.Chance()
    config = b""
    if given["config"]:
        config, given = _configured(pathlib.Path(given["config"]), given)
    work = functools.partial(_work, config=config, clock=clock, chance=chance)
    return connection.Process(NAME, given, work, clock=clock, chance=chance)


def _configured(path: pathlib.Path, given: Mapping[str, Any]) -> tuple[bytes, Mapping[str, Any]]:
    """The file, and the flags with what it says in their place. Raises FlagError."""
    # Not needed without a file, and slow to import.
    from pybernetes.scheduler import configuration, registry

    try:
        data = path.read_bytes()
        found = configuration.read(data, registry.load())
    except (OSError, configuration.ConfigurationError) as error:
        raise flags_.FlagError(str(error)) from error
    said = dict(given)
    if found.clientConnection.kubeconfig:
        said["kubeconfig"] = found.clientConnection.kubeconfig
    election = found.leaderElection
    if election.leaderElect is not None:
        said["leader-elect"] = election.leaderElect
    said["leader-elect-resource-name"] = given["leader-elect-resource-name"] or election.resourceName
    return data, said


async def _work(client: clients.Client, *, config: bytes, clock: clocks.Clock, chance: chances.Chance) -> None:
    async with toolboxes.tools(client, clock=clock, chance=chance) as tools:
        working = scheduler.Scheduler(
            client, tools.informers, clock=clock, chance=chance, recorder=tools.recorder, config=config
        )
        try:
            await tools.informers.start()
            await working.run()
        finally:
            await working.close()
