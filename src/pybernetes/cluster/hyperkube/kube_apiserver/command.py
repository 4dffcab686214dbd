"""The command line of `hyperkube kube-apiserver`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pybernetes.apiserver import version
from pybernetes.cluster import machine, processes
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube import logging_flags
from pybernetes.cluster.hyperkube.kube_apiserver import flags, options
from pybernetes.kits import chance as chances
from pybernetes.kits import clock as clocks

NAME = "kube-apiserver"
DESCRIPTION = """\
Serve the Kubernetes API: validate objects, keep them in a store, and tell everybody who watches them.
Other components, of ours or upstream's, and any number of further API servers on one etcd, connect to it.

usage: hyperkube kube-apiserver [FLAGS]

examples:
  hyperkube kube-apiserver --token-auth-file=tokens.csv --authorization-mode=Node,RBAC
  hyperkube kube-apiserver --etcd-servers=http://127.0.0.1:2379 --client-ca-file=ca.crt \\
      --tls-cert-file=apiserver.crt --tls-private-key-file=apiserver.key \\
      --service-account-signing-key-file=sa.key --service-account-issuer=https://kubernetes.default.svc

Ends after SIGTERM when the requests under way are answered; with status 2 if the flags are wrong.
"""


def main(words: Sequence[str]) -> int:
    try:
        given = flags_.parse(flags.TABLE, words)
        if given["version"]:
            print(f"Kubernetes {version.info()['gitVersion']}")
            return 0
        chosen = options.read(given, address=machine.address)
    except flags_.HelpWanted:
        print(f"{DESCRIPTION}\n{flags_.text(flags.TABLE)}")
        return 0
    except flags_.FlagError as error:
        for problem in str(error).splitlines():
            print(f"{NAME}: {problem}", file=sys.stderr)
        print(f"`hyperkube {NAME} -h` lists the flags.", file=sys.stderr)
        return 2
    logging_flags.begin(given)
    clock = clocks.SystemClock()
    from pybernetes.cluster.hyperkube.kube_apiserver import process

    return processes.run_alone(NAME, process.Process(chosen, clock=clock, chance=chances.Chance()), clock)
