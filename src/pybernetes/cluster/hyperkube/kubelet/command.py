"""The command line of `hyperkube kubelet`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.cluster import processes
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube import running
from pybernetes.cluster.hyperkube.kubelet import configuration, flags
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

DESCRIPTION = """\
Run the kubelet: it makes this machine a node, and runs the pods that are meant for it. It takes root, and containerd
(or another runtime that speaks CRI) with a network configuration.

usage: hyperkube kubelet [FLAGS]

examples:
  hyperkube kubelet --kubeconfig=/etc/kubernetes/kubelet.conf --config=/etc/kubernetes/kubelet.yaml
  hyperkube kubelet --bootstrap-kubeconfig=bootstrap.conf --kubeconfig=kubelet.conf --client-ca-file=ca.crt \\
      --anonymous-auth=false --authentication-token-webhook --authorization-mode=Webhook
  hyperkube kubelet --api-servers=http://master:8080 --hostname-override=slave1 --register-node=false

Pods go on running after it has ended; one that is started again takes care of them.
"""


def main(words: Sequence[str]) -> int:
    return running.run("kubelet", DESCRIPTION, flags.TABLE, words, _make, said=_said)


def _said(given: Mapping[str, Any]) -> Mapping[str, Any]:
    return configuration.read(given["config"]).flags if given["config"] else {}


def _make(given: Mapping[str, Any], clock: clocks.Clock) -> processes.Part:
    if problems := list(flags.problems(given)):
        raise flags_.FlagError("\n".join(problems))
    # Slow to import, and not needed for help.
    from pybernetes.cluster.hyperkube.kubelet import process

    unheeded = configuration.read(given["config"]).unheeded if given["config"] else []
    return process.Process(given, unheeded, clock=clock, chance=chances.Chance())
