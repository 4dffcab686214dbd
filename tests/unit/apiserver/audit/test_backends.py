"""Where audit events go: a file that is begun anew, and a server that may be away."""

from __future__ import annotations

import gzip
import json
import os
import pathlib

import pytest

from pybernetes.apiserver import audit
from pybernetes.kits.chance import Chance
from pybernetes.kits.clock import VirtualClock, settle

LINE = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata"}\n'


async def test_lines_in_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "logs" / "audit.log"
    file = audit.LogFile(str(path), clock=VirtualClock())
    file.start()
    file.write(LINE)
    assert path.read_bytes() == b""
    await settle()
    assert path.read_bytes() == LINE
    file.write(LINE)
    await file.close()
    assert path.read_bytes() == LINE * 2
    assert path.stat().st_mode & 0o777 == 0o600


async def test_batches_wait(tmp_path: pathlib.Path) -> None:
    clock = VirtualClock()
    file = audit.LogFile(str(tmp_path / "a.log"), clock=clock, wait=30.0, batch=2)
    file.start()
    file.write(LINE)
    await clock.advance(29)
    assert (tmp_path / "a.log").read_bytes() == b""
    await clock.advance(1)
    assert (tmp_path / "a.log").read_bytes() == LINE
    file.write(LINE)
    file.write(LINE)
    assert (tmp_path / "a.log").read_bytes() == LINE * 3
    await file.close()


@pytest.mark.parametrize("compress", [False, True])
async def test_old_files_are_few_and_young(tmp_path: pathlib.Path, compress: bool) -> None:
    clock = VirtualClock()
    path = tmp_path / "a.log"
    (tmp_path / "a-2001-01-01T00-00-00.000.log").write_bytes(b"old")
    (tmp_path / "a-mine.log").write_bytes(b"somebody's")
    file = audit.LogFile(str(path), clock=clock, size=1, days=1, backups=2, compress=compress)
    file.start()
    large = b"x" * (audit.log.MEGABYTE * 2 // 3)
    for _ in range(5):
        file.write(large)
        await settle()
        await clock.advance(1)
    await file.close()
    assert path.read_bytes() == large
    left = sorted(one.name for one in tmp_path.iterdir() if one != path)
    assert "a-mine.log" in left
    old = [name for name in left if name != "a-mine.log"]
    assert len(old) == 2
    assert all(name.endswith(".gz") == compress for name in old)
    data = (tmp_path / old[0]).read_bytes()
    assert (gzip.decompress(data) if compress else data) == large


async def test_a_file_that_cannot_be_written_holds_nobody_up(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.log"
    os.symlink("/dev/full", path)
    file = audit.LogFile(str(path), clock=VirtualClock())
    file.start()
    file.write(LINE)
    await settle()
    assert f"{len(LINE)} bytes of audit events could not be written" in caplog.text
    assert file.lost == 1
    file.write(LINE)
    assert not file.settle()
    assert file.settle()
    assert file.lost == 2
    await file.close()


async def test_lines_are_in_the_file_before_an_answer_is_out(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.log"
    file = audit.LogFile(str(path), clock=VirtualClock())
    file.start()
    file.write(LINE)
    file.write(LINE)
    assert file.settle()
    assert path.read_bytes() == LINE * 2
    await settle()
    assert path.read_bytes() == LINE * 2
    await file.close()


async def test_batches_hold_no_answer_up(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.log"
    file = audit.LogFile(str(path), clock=VirtualClock(), wait=1.0, batch=2)
    file.start()
    file.write(LINE)
    assert file.settle()
    assert path.read_bytes() == b""
    await file.close()
    assert path.read_bytes() == LINE


class Server:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.failures = 0

    async def post(self, body: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("away")
        self.bodies.append(body)

    def sizes(self) -> list[int]:
        return [len(json.loads(body)["items"]) for body in self.bodies]


async def test_batches_go_when_they_are_full_or_old() -> None:
    clock, server = VirtualClock(), Server()
    hook = audit.Webhook(server.post, clock=clock, chance=Chance(1), batch=3, wait=10.0)
    hook.start()
    for _ in range(4):
        hook.write(LINE)
    await settle()
    assert server.sizes() == [3]
    assert json.loads(server.bodies[0]) == {
        "kind": "EventList",
        "apiVersion": "audit.k8s.io/v1",
        "metadata": {},
        "items": [{"level": "Metadata"}] * 3,
    }
    await clock.advance(9)
    assert server.sizes() == [3]
    await clock.advance(1)
    assert server.sizes() == [3, 1]
    hook.write(LINE)
    await hook.close()
    assert server.sizes() == [3, 1, 1]


async def test_large_batches_go_in_parts() -> None:
    clock, server = VirtualClock(), Server()
    hook = audit.Webhook(server.post, clock=clock, chance=Chance(1), batch=5, wait=10.0, together=len(LINE) * 2)
    hook.start()
    for _ in range(4):
        hook.write(LINE)
    hook.write(LINE[:-2] + b" " * len(LINE) * 3 + LINE[-2:])
    await settle()
    assert server.sizes() == [2, 2, 1]
    await hook.close()


async def test_a_server_that_is_away_is_asked_again() -> None:
    clock, server = VirtualClock(), Server()
    server.failures = 2
    hook = audit.Webhook(server.post, clock=clock, chance=Chance(1), wait=1.0)
    hook.start()
    hook.write(LINE)
    await clock.advance(60)
    assert server.sizes() == [1]
    await hook.close()


async def test_what_does_not_fit_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    clock, server = VirtualClock(), Server()
    hook = audit.Webhook(server.post, clock=clock, chance=Chance(1), buffer=2, wait=1.0)
    hook.start()
    for _ in range(5):
        hook.write(LINE)
    assert hook.lost == 3
    assert "does not keep up" in caplog.text
    await hook.close()
    assert server.sizes() == [2]
