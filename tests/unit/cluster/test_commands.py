"""The command line: what it teaches, and what it says when something is missing."""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import subprocess
import sys

import pytest

from pybernetes import __main__ as program
from pybernetes.cluster import layout, progress, supervisor
from pybernetes.cluster.commands import down, table
from pybernetes.store.sqlite import SqliteStore


@pytest.mark.parametrize("name", [name for name in table.COMMANDS if name != "kubectl"])
def test_help_teaches(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main([name, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: pybernetes {name}")
    assert "--data-dir" in text


def test_without_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([]) == 2
    text = capsys.readouterr().out
    assert all(name in text for name in table.COMMANDS)
    assert "run-server" not in text


def test_unknown_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["fly"])
    assert ended.value.code == 2
    assert "fly" in capsys.readouterr().err


def test_where_there_is_no_cluster(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data-dir", str(tmp_path)]
    assert program.main(["status", *where]) == 3
    assert "The cluster is down" in capsys.readouterr().out
    assert program.main(["down", *where]) == 0
    assert "There is no cluster" in capsys.readouterr().out
    assert program.main(["kubectl", *where, "get", "pods"]) == 1
    assert "There is no cluster" in capsys.readouterr().err
    assert program.main(["logs", "kubelet", *where]) == 0
    assert "has logged nothing yet" in capsys.readouterr().err
    assert program.main(["image", "load", "x.tar", *where]) == 1
    assert "The cluster is down" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--store", "etcd"], "takes --etcd-servers"),
        (["--etcd-servers", "http://127.0.0.1:2379"], "is for --store etcd"),
        (["--store", "etcd", "--etcd-servers", "http://127.0.0.1:2379", "--etcd-certfile", __file__], "go together"),
        (["--store", "etcd", "--etcd-servers", "http://127.0.0.1:2379", "--etcd-cafile", "/no/file"], "cannot be read"),
    ],
)
def test_an_etcd_is_named_whole(
    arguments: list[str], problem: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["up", "--runtime", "simulated", "--data-dir", str(tmp_path), *arguments]) == 1
    assert problem in capsys.readouterr().err


def test_containers_take_root(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert program.main(["up", "--data-dir", str(tmp_path)]) == 1
    assert "takes root" in capsys.readouterr().err


def test_containers_take_packages(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    assert program.main(["up", "--data-dir", str(tmp_path)]) == 1
    text = capsys.readouterr().err
    assert "apt-get install conntrack containerd nftables runc" in text
    assert "--runtime simulated" in text


def test_a_second_up_says_so(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = layout.Layout(tmp_path)
    held = supervisor.lock(paths)
    try:
        assert supervisor.running_pid(paths) == os.getpid()
        with pytest.raises(supervisor.AlreadyUp, match="already up"):
            supervisor.lock(paths)
        assert program.main(["up", "--data-dir", str(tmp_path)]) == 0
        assert f"already up (process {os.getpid()})" in capsys.readouterr().out
    finally:
        held.close()
    assert supervisor.running_pid(paths) == 0


@pytest.mark.parametrize("flag", ["--api-port", "--kubelet-port"])
def test_ports_that_others_have(flag: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs, socket.create_server(("127.0.0.1", 0)) as free:
        port = theirs.getsockname()[1]
        other = "--kubelet-port" if flag == "--api-port" else "--api-port"
        words = ["--runtime", "simulated", "--data-dir", str(tmp_path), flag, str(port)]
        words += [other, str(free.getsockname()[1])]
        free.close()
        assert program.main(["up", *words]) == 1
        told = capsys.readouterr().err
        assert told == (
            f"Port {port} cannot be had (Address already in use). Is there another cluster? {flag} chooses another "
            "port.\n"
        )
    assert not (tmp_path / "pki").exists()


def test_a_kubeconfig_without_clusters_is_no_obstacle(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pybernetes.client import kubeconfig

    theirs = tmp_path / "theirs"
    theirs.write_text("apiVersion: v1\nkind: Config\nclusters: null\n")
    monkeypatch.setenv("KUBECONFIG", str(theirs))
    paths = layout.Layout(tmp_path / "data")
    ours = kubeconfig.build(server="https://x", ca=b"", certificate=b"", key=b"")
    kubeconfig.write(paths.kubeconfig, ours)
    down._forget_context(paths)
    assert "clusters: null" in theirs.read_text()


def test_options_survive(tmp_path: pathlib.Path) -> None:
    options = layout.Options(api_port=7443, runtime="simulated")
    options.write(tmp_path / "cluster.json")
    assert layout.Options.read(tmp_path / "cluster.json") == options
    (tmp_path / "cluster.json").write_text('{"api_port": 1, "from_a_later_version": true}')
    assert layout.Options.read(tmp_path / "cluster.json").api_port == 1


def test_run_directories_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert layout.Layout(layout.SYSTEM_DATA).run == pathlib.Path("/run/pybernetes")
    runs = {layout.Layout(pathlib.Path(path)).run for path in ("/a", "/b")}
    assert len(runs) == 2


def test_steps_are_lines(tmp_path: pathlib.Path) -> None:
    with (tmp_path / "out").open("w") as out:
        progress.tell("node", "ready \u2713", to=out)
        progress.tell("failed", "why", failed=True, to=out)
    lines = (tmp_path / "out").read_bytes().splitlines()
    assert [progress.read(line) for line in lines] == [
        progress.Step("node", "ready \u2713"),
        progress.Step("failed", "why", failed=True),
    ]
    for other in (b"", b"hello", b"\xff", b"7", b"{}"):
        assert progress.read(other) is None
    progress.tell("x", to=out)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("apps/v9=true", "group version apps/v9 that has not been registered"),
        ("api/all=perhaps", "invalid value api/all=perhaps"),
    ],
)
def test_runtime_configurations_that_cannot_be(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    where = ["--data-dir", str(tmp_path), "--runtime", "simulated"]
    assert program.main(["up", *where, "--runtime-config", text]) == 1
    assert f"--runtime-config: {words}" in capsys.readouterr().err


def test_controllers_that_nobody_knows(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--data-dir", str(tmp_path), "--runtime", "simulated"]
    assert program.main(["up", *where, "--controllers", "*,-fly"]) == 1
    assert "--controllers: '-fly' is not in the list of known controllers" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["pybernetes", "up", "--help"], ["pybernetes.cluster.hyperkube", "kube-apiserver", "-h"]]
)
def test_whoever_has_seen_enough_stops_reading(words: list[str]) -> None:
    command = f"{sys.executable} -m {' '.join(words)} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


class TestSnapshot:
    """Of clusters that are down, or whose store is elsewhere; `tests/e2e/test_snapshot.py` has one that is up."""

    async def test_saved_and_restored(self, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
        store = await SqliteStore.open(layout.Layout(tmp_path).database)
        await store.put("/registry/a", b"1", expected=0)
        await store.close()
        where, file = ["--data-dir", str(tmp_path)], str(tmp_path / "s")
        assert program.main(["snapshot", "save", *where, file]) == 0
        assert "Saved 1 objects, as of revision 2" in capsys.readouterr().out
        assert program.main(["snapshot", *where, "restore", file]) == 0
        text = capsys.readouterr().out
        assert "Restored 1 objects" in text
        assert str(tmp_path / "store.replaced") in text

    def test_where_nothing_is(self, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
        where, file = ["--data-dir", str(tmp_path)], str(tmp_path / "s")
        assert program.main(["snapshot", "save", *where, file]) == 1
        assert "There is no cluster" in capsys.readouterr().err
        assert program.main(["snapshot", "restore", *where, file]) == 1
        assert "there is no such file" in capsys.readouterr().err

    def test_an_etcd_restores_itself(self, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
        paths = layout.Layout(tmp_path)
        layout.Options(store="etcd", etcd_servers="http://127.0.0.1:1").write(paths.options)
        assert program.main(["snapshot", "restore", "--data-dir", str(tmp_path), "s"]) == 1
        assert "etcdutl snapshot restore s" in capsys.readouterr().err

    def test_a_cluster_that_is_up_is_not_restored(
        self, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with supervisor.lock(layout.Layout(tmp_path)):
            assert program.main(["snapshot", "restore", "--data-dir", str(tmp_path), "s"]) == 1
        assert "`pybernetes down` stops it" in capsys.readouterr().err

    def test_what_is_in_memory_is_not_saved(self, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
        layout.Options(store="memory").write(layout.Layout(tmp_path).options)
        assert program.main(["snapshot", "save", "--data-dir", str(tmp_path), "s"]) == 1
        assert "in memory only" in capsys.readouterr().err
