from __future__ import annotations

import json
import pathlib
import platform
import signal
import struct
import subprocess
import tarfile

import pytest

from pybernetes.cluster import images, pause


@pytest.mark.skipif(platform.machine() != "x86_64", reason="runs the program of another architecture")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_waits_until_it_is_told_to_go(tmp_path: pathlib.Path, how: signal.Signals) -> None:
    path = tmp_path / "pause"
    path.write_bytes(pause.program("amd64"))
    path.chmod(0o755)
    process = subprocess.Popen([str(path)])
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    process.send_signal(signal.SIGCHLD)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    process.send_signal(how)
    assert process.wait(5) == 0


def test_the_other_architecture_has_its_own_program() -> None:
    program = pause.program("arm64")
    machine, entry = struct.unpack_from("<H4xQ", program, 18)
    assert (machine, entry) == (183, 0x400078)
    words = struct.unpack_from(f"<{(len(program) - 120 - 8) // 4}I", program, 120)
    assert words.count(0xD4000001) == 4  # svc #0
    assert struct.unpack("<Q", program[-8:]) == (0x14002,)
    with pytest.raises(ValueError, match="no pause program"):
        pause.program("mips")


def test_the_image_is_the_same_every_time(tmp_path: pathlib.Path) -> None:
    images.build_pause(tmp_path / "one.tar")
    images.build_pause(tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    assert manifest[0]["RepoTags"] == [images.PAUSE_IMAGE]
