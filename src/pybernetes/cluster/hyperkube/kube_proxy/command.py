"""The command line of `hyperkube kube-proxy`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.cluster import processes
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube import running
from pybernetes.cluster.hyperkube.kube_proxy import flags
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

DESCRIPTION = """\
Run the service proxy of a node: what is sent to a Service's address gets to one of its pods. It takes root and nft.

usage: hyperkube kube-proxy [FLAGS]

examples:
  hyperkube kube-proxy --kubeconfig=/etc/kubernetes/kube-proxy.conf --cluster-cidr=10.244.0.0/16
  hyperkube kube-proxy --master=http://master:8080 --hostname-override=slave1
  hyperkube kube-proxy --cleanup

The rules stay in the kernel when it ends; --cleanup takes them away.
"""


def main(words: Sequence[str]) -> int:
    return running.run("kube-proxy", DESCRIPTION, flags.TABLE, words, _make)


def _make(given: Mapping[str, Any], clock: clocks.Clock) -> processes.Part | int:
    given, unheeded = flags.configured(given)
    if problems := list(flags.problems(given)):
        raise flags_.FlagError("\n".join(problems))
    if given["cleanup"]:
        return asyncio.run(_clean_up())
    # Slow to import, and not needed for help.
    from pybernetes.cluster.hyperkube.kube_proxy import process

    return process.Process(given, unheeded, clock=clock, chance=chances.Chance())


async def _clean_up() -> int:
    from pybernetes.proxy import nftables

    await nftables.Table().remove()
    return 0
