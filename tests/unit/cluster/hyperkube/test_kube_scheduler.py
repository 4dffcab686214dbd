"""The flags of kube-scheduler and the file that may stand for them."""

from __future__ import annotations

import pathlib

import pytest

from pybernetes.cluster.hyperkube import flags
from pybernetes.cluster.hyperkube.kube_scheduler import command

HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"


def test_what_the_file_says_goes_before_the_flags(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"{HEAD}clientConnection: {{kubeconfig: /etc/k}}\nleaderElection: {{leaderElect: false}}\n")
    given = flags.parse(command.TABLE, [f"--config={path}", "--kubeconfig=/other"])
    data, said = command._configured(path, given)
    assert data == path.read_bytes()
    assert (said["kubeconfig"], said["leader-elect"]) == ("/etc/k", False)
    assert said["leader-elect-resource-name"] == "kube-scheduler"


def test_a_wrong_file_is_a_wrong_flag(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"{HEAD}bad: 1\n")
    with pytest.raises(flags.FlagError, match=r'^strict decoding error: unknown field "bad"$'):
        command._configured(path, {})
    path.write_text(f"{HEAD}profiles: [{{plugins: {{bind: {{disabled: [{{name: '*'}}]}}}}}}]\n")
    with pytest.raises(flags.FlagError, match=r"^initializing profiles: .*: at least one bind plugin is needed"):
        command._configured(path, {})
    with pytest.raises(flags.FlagError, match="No such file"):
        command._configured(tmp_path / "none", {})
