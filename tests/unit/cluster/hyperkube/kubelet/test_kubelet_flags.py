"""The kubelet's flags, and the KubeletConfiguration that stands for them."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube.kubelet import command, configuration, flags

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"


def parsed(*words: str) -> dict[str, Any]:
    return flags_.parse(flags.TABLE, ["--api-servers=http://m:8080", *words])


def problems(*words: str) -> list[str]:
    return list(flags.problems(parsed(*words)))


def test_flags_of_old_are_taken() -> None:
    given = parsed(
        "--address=0.0.0.0",
        "--port=10250",
        "--hostname-override=slave1",
        "--register-node=false",
        "--allow-privileged=false",
        "--pod-infra-container-image=pause",
        "--logtostderr=true",
    )
    assert list(flags.problems(given)) == []
    assert (given["api-servers"], given["hostname-override"]) == (["http://m:8080"], "slave1")
    assert given["register-node"] is False


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("--healthz-port=70000", "--healthz-port 70000 must be between 0 and 65535, inclusive"),
        ("--port=0", "--port 0 must be between 1 and 65535, inclusive"),
        ("--authorization-mode=RBAC", "--authorization-mode: 'RBAC' is not one of AlwaysAllow, Webhook"),
        ("--tls-cert-file=/none", "--tls-cert-file: there is no file /none"),
        ("--bootstrap-kubeconfig=/none", "--bootstrap-kubeconfig wants --kubeconfig: the file to write"),
        ("--register-with-taints=a=b", "--register-with-taints: 'a=b' is not of the form KEY[=VALUE]:EFFECT"),
        (
            "--container-runtime-endpoint=tcp://x",
            "--container-runtime-endpoint must be a unix socket, as in unix:///run/containerd/containerd.sock",
        ),
        (
            "--node-labels=node-role.kubernetes.io/x=,a=b",
            "unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [node-role.kubernetes.io/x]",
        ),
    ],
)
def test_what_is_wrong_is_told(word: str, told: str) -> None:
    assert told in problems(word)


def test_nodes_may_have_labels_of_their_own() -> None:
    assert problems("--node-labels=a=b,topology.kubernetes.io/zone=z,x.node.kubernetes.io/y=1") == []
    (told,) = problems("--node-labels=a b=c")
    assert told.startswith("invalid node labels: 'a b' - name part must consist of")


def test_flags_go_before_the_file_and_the_file_before_defaults(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "kubelet.yaml"
    path.write_text(
        f"{HEAD}maxPods: 20\nclusterDNS: [10.0.0.10]\nnodeStatusUpdateFrequency: 1m30s\nhealthzPort: null\n"
        "registerWithTaints: [{key: a, effect: NoSchedule}]\nfeatureGates: {NodeSwap: false}\n"
        "authentication: {x509: {clientCAFile: /ca}, anonymous: {enabled: true}}\n"
    )
    found = configuration.read(str(path))
    table = [flag._replace(default=found.flags.get(flag.name, flag.default)) for flag in flags.TABLE]
    given = flags_.parse(table, [f"--config={path}", "--max-pods=30"])
    assert command._said(given) == found.flags
    assert (given["max-pods"], given["cluster-dns"], given["healthz-port"]) == (30, ["10.0.0.10"], 10248)
    assert (given["node-status-update-frequency"], given["register-with-taints"]) == (90.0, ["a=:NoSchedule"])
    assert (given["client-ca-file"], given["feature-gates"]) == ("/ca", ["NodeSwap=false"])
    # Stricter than without a file, but for what it says.
    assert (given["anonymous-auth"], given["authentication-token-webhook"]) == (True, True)
    assert given["authorization-mode"] == "Webhook"


def test_fields_that_say_nothing_here_are_named(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "kubelet.yaml"
    path.write_text(f"{HEAD}staticPodPath: /x\nlogging: {{flushFrequency: 5, verbosity: 3}}\n")
    found = configuration.read(str(path))
    assert (found.unheeded, found.flags["v"]) == (["staticPodPath", "logging.flushFrequency"], 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{HEAD}maxPods: many\n", "maxPods: must be a whole number"),
        (f"{HEAD}port: true\n", "port: must be a whole number"),
        (f"{HEAD}clusterDNS: x\n", "clusterDNS: must be a list"),
        (f"{HEAD}fly: 1\n", 'strict decoding error: unknown field "fly"'),
        (f"{HEAD}authentication: {{x508: {{}}}}\n", 'strict decoding error: unknown field "authentication.x508"'),
        ("kind: Pod\n", "is no KubeletConfiguration of kubelet.config.k8s.io/v1beta1"),
        ("[", "is not YAML"),
    ],
)
def test_a_wrong_file_is_a_wrong_flag(tmp_path: pathlib.Path, text: str, told: str) -> None:
    path = tmp_path / "kubelet.yaml"
    path.write_text(text)
    with pytest.raises(flags_.FlagError) as wrong:
        configuration.read(str(path))
    assert told in str(wrong.value)
    with pytest.raises(flags_.FlagError, match="No such file"):
        configuration.read(str(tmp_path / "none"))
