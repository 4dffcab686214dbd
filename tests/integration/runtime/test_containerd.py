"""The CRI client against a real containerd: sandbox, container, logs, exec, events, and nothing left afterwards."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
from collections.abc import AsyncIterator

import pytest

from pybernetes.cluster import containerd
from pybernetes.kits.clock import SystemClock
from pybernetes.network import cni
from pybernetes.runtime import protocol
from pybernetes.runtime.cri import CRI
from tests.images import busybox

pytestmark = [
    pytest.mark.containers,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("containerd") is None, reason="needs root and containerd"),
]
UID = "11111111-2222-3333-4444-555555555555"
LABELS = {"io.kubernetes.pod.uid": UID}


@pytest.fixture
async def runtime(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CRI]:
    monkeypatch.setattr(cni, "BRIDGE", "pybtest0")
    monkeypatch.setattr(cni, "NETWORK", "pybtest")
    monkeypatch.setattr(cni, "TABLE", "pybtest_network")
    monkeypatch.setattr(cni, "ALLOCATIONS", pathlib.Path("/var/lib/cni/networks/pybtest"))
    monkeypatch.setattr(containerd, "CGROUP", "/pybtest")
    run = pathlib.Path(f"/run/pybtest-{os.getpid()}")
    layout = containerd.Layout.under(tmp_path, run)
    daemon = containerd.Containerd(layout, clock=SystemClock())
    await cni.setup(layout.cni_conf, pod_cidr="10.251.0.0/24")
    try:
        await daemon.start()
        await daemon.ensure_pause()
        busybox.build_busybox_archive(tmp_path / "busybox.tar")
        assert await daemon.load_image(tmp_path / "busybox.tar") == [busybox.IMAGE]
        client = CRI(str(layout.socket), clock=SystemClock())
        yield client
        await client.close()
    finally:
        await daemon.stop(grace=1)
        await cni.remove()
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    assert str(run) not in mounts
    assert str(tmp_path) not in mounts
    run.rmdir()


async def test_a_container_from_start_to_end(runtime: CRI, tmp_path: pathlib.Path) -> None:
    config = protocol.SandboxConfig(
        name="a", namespace="d", uid=UID, log_directory=str(tmp_path / "logs"), labels=LABELS,
        cgroup_parent=f"/pybtest/pod{UID}",
    )  # fmt: skip
    box = await runtime.run_sandbox(config)
    assert (await runtime.sandbox_status(box)).ips[0].startswith("10.251.0.")
    command = ["sh", "-c", "echo out; echo err >&2; read line; exit 3"]
    container = protocol.ContainerConfig(
        name="c", image=busybox.IMAGE, command=command, log_path="c/0.log", labels=LABELS, stdin=True
    )
    made = await runtime.create_container(box, container, sandbox_config=config)
    events = runtime.events()
    await runtime.start_container(made)
    assert (await runtime.container_status(made)).state is protocol.ContainerState.RUNNING

    ran = await runtime.exec_sync(made, ["sh", "-c", "echo x; exit 4"], timeout=5)
    assert (ran.exit_code, ran.stdout) == (4, b"x\n")
    process = await runtime.exec(made, ["sh", "-c", "cat; exit 5"], stdin=True, stdout=True, stderr=True, tty=False)
    await process.write(b"hello")
    await process.end_input()
    assert await process.read() == (protocol.STDOUT, b"hello")
    assert await process.read() is None
    assert await process.exit() == protocol.Exit(code=5)
    await process.close()

    attached = await runtime.attach(made, stdin=True, stdout=True, stderr=True, tty=False)
    await attached.write(b"go\n")
    async with asyncio.timeout(10):
        async for event in events:
            if (await runtime.container_status(made)).state is protocol.ContainerState.EXITED:
                assert event.pod_uid == UID
                break
    await attached.close()
    ended = await runtime.container_status(made)
    assert (ended.exit_code, ended.reason) == (3, "Error")
    lines = pathlib.Path(ended.log_path).read_text().splitlines()
    assert sorted(line.split(" ", 1)[1] for line in lines) == ["stderr F err", "stdout F out"]

    await runtime.stop_sandbox(box)
    await runtime.remove_sandbox(box)
    assert await runtime.list_sandboxes() == []
