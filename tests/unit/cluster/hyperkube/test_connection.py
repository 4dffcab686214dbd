"""Flags of all components that work through an API server: what is wrong with them is said before anything starts."""

from __future__ import annotations

import pathlib

import pytest

from pybernetes.cluster import processes
from pybernetes.cluster.hyperkube import connection, flags
from pybernetes.cluster.hyperkube.kube_controller_manager import command as manager
from pybernetes.cluster.hyperkube.kube_controller_manager import flags as manager_flags
from pybernetes.cluster.hyperkube.ports import flags as port_flags
from pybernetes.kits.clock import SystemClock


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--leader-elect-lease-duration=5s"], "-lease-duration must be greater than --leader-elect-renew-deadline"),
        (["--leader-elect-retry-period=9s"], "-renew-deadline must be greater than --leader-elect-retry-period*1.2"),
        (["--leader-elect-retry-period=0"], "must be greater than zero"),
        (["--leader-elect-resource-lock=endpoints"], '"endpoints" is not supported, only leases is'),
        (["--feature-gates=Nonsense=true"], "--feature-gates: unrecognized feature gate: Nonsense"),
        (["--feature-gates=SidecarContainers"], "--feature-gates: missing bool value for SidecarContainers"),
        (["--feature-gates=SidecarContainers=x"], "invalid value of SidecarContainers=x, must be true or false"),
        (["--logging-format=xml"], 'Invalid value: "xml": Unsupported log format, want "json", "text"'),
        (["--v=-1"], "--v -1 must not be negative"),
        (["--secure-port=70000"], "--secure-port 70000 must be between 0 and 65535, inclusive. 0 for turning off"),
        (["--port=10257"], "--port and --secure-port cannot be the same port 10257"),
        (["--tls-cert-file=x"], "--tls-cert-file and --tls-private-key-file go together"),
        (["--client-ca-file=/none"], "--client-ca-file: there is no file /none"),
        (["--authorization-always-allow-paths=/a*b"], 'only trailing * allowed in "a*b"'),
        (["--cluster-signing-cert-file=x"], "--cluster-signing-cert-file and --cluster-signing-key-file go together"),
        (["--allocate-node-cidrs"], "--allocate-node-cidrs needs --cluster-cidr"),
        (["--concurrent-gc-syncs=0"], "concurrent-gc-syncs must be greater than 0, but got 0"),
    ],
)
def test_what_is_wrong(words: list[str], problem: str) -> None:
    given = flags.parse(manager_flags.TABLE, ["--master=http://127.0.0.1:8080", *words])
    with pytest.raises(flags.FlagError) as wrong:
        manager._make(given, SystemClock())
    assert problem in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_kubeconfig_that_leads_nowhere(tmp_path: pathlib.Path) -> None:
    empty = tmp_path / "k.conf"
    empty.write_text("kind: Config\n")
    for path, told in ((empty, "says nowhere which of its contexts counts"), (tmp_path / "none", "there is no file")):
        with pytest.raises(processes.CannotStart, match=told):
            connection.client_of({"kubeconfig": str(path), "master": ""}, None, "kube-proxy")
    with pytest.raises(processes.CannotStart, match="--kubeconfig or --master says where the API server is"):
        connection.client_of({"kubeconfig": "", "master": ""}, None, "kube-proxy")


def test_the_usual_is_right() -> None:
    given = flags.parse(manager_flags.TABLE, [])
    assert not [*connection.problems(given), *port_flags.problems(given)]
    election = connection.election_of(given)
    assert (election["leaseDuration"], election["resourceLock"]) == ("15s", "leases")


def test_the_command_line_of_2017() -> None:
    words = (
        "--address=0.0.0.0 --allocate-node-cidrs=true --cluster-cidr=10.200.0.0/16 --cluster-name=kubernetes "
        "--leader-elect=true --master=http://127.0.0.1:8080 --root-ca-file=ca.pem "
        "--service-account-private-key-file=sa.key --service-cluster-ip-range=10.32.0.0/24 --v=2"
    )
    given = flags.parse(manager_flags.TABLE, words.split())
    assert (given["master"], given["address"], given["v"]) == ("http://127.0.0.1:8080", "0.0.0.0", 2)
    assert not [*connection.problems(given), *port_flags.problems(given)]


def test_workers() -> None:
    given = flags.parse(manager_flags.TABLE, ["--concurrent-deployment-syncs=9", "--concurrent-job-syncs=5"])
    assert manager.settings_of(given).workers == {"deployment-controller": 9}
