"""logs, exec, attach, port-forward and cp, over the streams that kubectl chooses."""

from __future__ import annotations

import os
import pathlib
import pty
import re
import select
import subprocess
import time
import urllib.request

import pytest

from tests.e2e import harness, objects

pytestmark = pytest.mark.containers


def test_exec(kubectl: harness.Kubectl, tmp_path: pathlib.Path) -> None:
    kubectl.apply(objects.pod("p", objects.container("one"), objects.container("two")))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    assert kubectl("exec", "p", "-c", "one", "--", "echo", "hello") == "hello\n"
    both = kubectl.result("exec", "p", "-c", "two", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (both.code, both.out) == (7, "out\n")
    assert "err\n" in both.err
    assert "exit code 7" in both.err
    assert kubectl("exec", "-i", "p", "-c", "one", "--", "wc", "-c", stdin="x" * 300_000).strip() == "300000"
    assert "Defaulted container" in kubectl.result("exec", "p", "--", "true").err
    missing = kubectl.result("exec", "p", "-c", "one", "--", "no-such-program")
    assert missing.code != 0
    assert "executable file not found" in missing.err
    assert 'pods "absent" not found' in kubectl("exec", "absent", "--", "true", code=1)

    (tmp_path / "file").write_bytes(os.urandom(100_000))
    kubectl("cp", tmp_path / "file", "p:/tmp/file", "-c", "one")
    kubectl("cp", "p:/tmp/file", tmp_path / "back", "-c", "one")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()

    # With a terminal: it is one inside too, of the given size, and its echo and exit code come back.
    code, shown = _terminal(kubectl.words("exec", "-it", "p", "-c", "one", "--", "sh"), "tty; stty size; exit 3\n")
    assert code == 3
    assert "/dev/pts/" in shown
    assert "37 101" in shown


def _terminal(words: list[str], typed: str) -> tuple[int, str]:
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 37, 101, 0, 0))
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        shown, sent, deadline = b"", False, time.monotonic() + 20
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    shown += os.read(ours, 4096)
                except OSError:
                    break
            if not sent and b"# " in shown:
                sent = True
                os.write(ours, typed.encode())
        else:
            process.kill()
        os.close(ours)
        return process.wait(), shown.decode()


def test_logs(kubectl: harness.Kubectl) -> None:
    kubectl.apply(
        objects.pod("lines", objects.container(script="for i in 1 2 3 4 5; do echo line $i; done; " + objects.FOREVER)),
        objects.pod(
            "ticks", objects.container(script="i=0; while :; do i=$((i+1)); echo tick $i; usleep 100000; done")
        ),
        objects.pod("again", objects.container(script="echo run of $$; date +%N; exit 1")),
    )
    kubectl("wait", "pod/lines", "pod/ticks", "--for=condition=Ready", "--timeout=30s")
    harness.until(lambda: kubectl("logs", "lines").count("\n") == 5)
    assert kubectl("logs", "lines", "--tail=2") == "line 4\nline 5\n"
    stamped = kubectl("logs", "lines", "--tail=1", "--timestamps")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) line 5\n", stamped)
    assert kubectl("logs", "lines", "--limit-bytes=6") == "line 1"
    assert kubectl("logs", "lines", "--since=1h").count("\n") == 5
    assert kubectl("logs", "-l", "app=lines", "--prefix", "--tail=1") == "[pod/lines/c] line 5\n"
    with kubectl.running("logs", "-f", "ticks", "--tail=1") as following:
        assert following.stdout is not None
        first = int(following.stdout.readline().split()[1])
        assert [int(following.stdout.readline().split()[1]) for _ in range(5)] == [first + n for n in range(1, 6)]

    # Follow ends when the container does.
    with kubectl.running("logs", "-f", "ticks", "--tail=1") as following:
        kubectl("delete", "pod", "ticks", "--grace-period=1")
        assert following.wait(timeout=20) == 0

    harness.until(lambda: int(kubectl.path(".status.containerStatuses[0].restartCount", "get", "pod", "again")) >= 1)
    previous = kubectl("logs", "again", "--previous")
    assert previous.startswith("run of ")
    assert "previous terminated container" in kubectl("logs", "lines", "--previous", code=1)
    assert "is not valid for pod" in kubectl("logs", "lines", "-c", "none", code=1)


def test_attach_and_port_forward(kubectl: harness.Kubectl) -> None:
    kubectl.apply(
        objects.pod("cat", {**objects.container(), "command": ["cat"], "stdin": True, "stdinOnce": True},
                    restartPolicy="Never"),
        objects.pod("web", objects.container(script="httpd -f -p 8080 -h /etc & " + objects.FOREVER)),
    )  # fmt: skip
    kubectl("wait", "pod/cat", "pod/web", "--for=condition=Ready", "--timeout=30s")
    assert "through\n" in kubectl("attach", "-i", "cat", stdin="through\n", seconds=20)
    kubectl("wait", "pod/cat", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=20s")

    port = harness.free_port()
    with kubectl.running("port-forward", "pod/web", f"{port}:8080") as forwarding:
        assert forwarding.stdout is not None
        assert "Forwarding from" in forwarding.stdout.readline()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(5):
            with opener.open(f"http://127.0.0.1:{port}/hostname", timeout=5) as answer:
                assert answer.read() == b"web\n"
