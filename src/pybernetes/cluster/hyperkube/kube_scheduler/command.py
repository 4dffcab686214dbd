"""The command line of `hyperkube kube-scheduler`."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes import client as clients
from pybernetes import scheduler
from pybernetes.cluster import processes
from pybernetes.cluster import tools as toolboxes
from pybernetes.cluster.hyperkube import connection, running
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

NAME = "kube-scheduler"
DESCRIPTION = """\
Run the scheduler: it gives every pod the node that suits it best, and makes room for more important ones.

usage: hyperkube kube-scheduler [FLAGS]

examples:
  hyperkube kube-scheduler --kubeconfig=scheduler.conf
  hyperkube kube-scheduler --master=http://127.0.0.1:8080 --leader-elect=false
"""


def main(words: Sequence[str]) -> int:
    return running.run(NAME, DESCRIPTION, connection.TABLE, words, _make)


def _make(given: Mapping[str, Any], clock: clocks.Clock) -> processes.Part:
    chance = chances.Chance()
    return connection.Process(
        NAME, given, functools.partial(_work, clock=clock, chance=chance), clock=clock, chance=chance
    )


async def _work(client: clients.Client, *, clock: clocks.Clock, chance: chances.Chance) -> None:
    async with toolboxes.tools(client, clock=clock, chance=chance) as tools:
        working = scheduler.Scheduler(client, tools.informers, clock=clock, chance=chance, recorder=tools.recorder)
        try:
            await tools.informers.start()
            await working.run()
        finally:
            await working.close()
