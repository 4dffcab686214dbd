"""The command line of `hyperkube kube-scheduler`."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from pybernetes import client as clients
from pybernetes import scheduler
from pybernetes.api import times
from pybernetes.cluster import processes
from pybernetes.cluster import tools as toolboxes
from pybernetes.cluster.hyperkube import connection, ports, running, values
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube.ports import flags as port_flags
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
        "Misc flags",
    ),
    *port_flags.table(port_flags.SCHEDULER),
    *connection.TABLE,
)


def main(words: Sequence[str]) -> int:
    return running.run(NAME, DESCRIPTION, TABLE, words, _make)


def _make(given: Mapping[str, Any], clock: clocks.Clock) -> processes.Part:
    chance = chances.Chance()
    config = b""
    shown = ports.Shown(NAME, readyz=True)
    if given["config"]:
        config, given = _configured(pathlib.Path(given["config"]), given)
    if problems := [*port_flags.problems(given), *connection.problems(given)]:
        raise flags_.FlagError("\n".join(problems))
    shown.config = lambda: {"componentconfig": _configuration(config, given)}
    work = functools.partial(_work, config=config, shown=shown, clock=clock, chance=chance)
    return connection.Process(shown, given, work, clock=clock, chance=chance)


def _configuration(config: bytes, given: Mapping[str, Any]) -> dict[str, Any]:
    """The file, or what stands for it, with the flags that have a say."""
    # As in `_configured`.
    from pybernetes.scheduler import configuration, registry

    found = configuration.read(config, registry.load()) if config else configuration.Configuration()
    tree: dict[str, Any] = msgspec.to_builtins(found)
    tree["clientConnection"]["kubeconfig"] = given["kubeconfig"]
    tree["enableProfiling"] = given["profiling"]
    election = connection.election_of(given)
    tree["leaderElection"] = {**election, "resourceName": election["resourceName"] or NAME}
    return tree


def _configured(path: pathlib.Path, given: Mapping[str, Any]) -> tuple[bytes, Mapping[str, Any]]:
    """The file, and the flags with what it says in their place. Raises FlagError."""
    # Not needed without a file, and slow to import.
    from pybernetes.scheduler import configuration, profiles, registry

    try:
        data = path.read_bytes()
        found = configuration.read(data, registry.load())
        profiles.build_all(found.profiles, registry.load())
    except (OSError, configuration.ConfigurationError) as error:
        raise flags_.FlagError(str(error)) from error
    said = dict(given)
    if found.clientConnection.kubeconfig:
        said["kubeconfig"] = found.clientConnection.kubeconfig
    election = found.leaderElection
    if election.leaderElect is not None:
        said["leader-elect"] = election.leaderElect
    for flag, text in (
        ("leader-elect-lease-duration", election.leaseDuration),
        ("leader-elect-renew-deadline", election.renewDeadline),
        ("leader-elect-retry-period", election.retryPeriod),
    ):
        if text:
            said[flag] = _seconds(flag, text)
    said["profiling"] = found.enableProfiling
    said["leader-elect-resource-name"] = given["leader-elect-resource-name"] or election.resourceName
    return data, said


def _seconds(flag: str, text: str) -> float:
    try:
        return times.duration(text)
    except ValueError as error:
        raise flags_.FlagError(f"what stands for --{flag}: {error}") from None


async def _work(
    client: clients.Client, *, config: bytes, shown: ports.Shown, clock: clocks.Clock, chance: chances.Chance
) -> None:
    async with toolboxes.tools(client, clock=clock, chance=chance) as tools:
        working = scheduler.Scheduler(
            client, tools.informers, clock=clock, chance=chance, recorder=tools.recorder, config=config
        )
        shown.families["scheduler"] = working.families
        shown.checks["/readyz"]["sched-handler-sync"] = lambda: None if working.ready.is_set() else "not yet"
        try:
            await tools.informers.start()
            await working.run()
        finally:
            await working.close()
