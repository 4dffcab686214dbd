"""Images without a registry: the pause image, built by us, and archives brought into containerd.

An archive is what `docker save` or an OCI layout tar holds; containerd's own `ctr` reads both.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import pathlib
import platform
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pybernetes.cluster import pause

PAUSE_IMAGE = "pybernetes.local/pause:1"
NAMESPACE = "k8s.io"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class ImportFailed(Exception):
    """containerd would not take the archive; the message is its own."""


def architecture() -> str:
    """This machine's, in Go's words."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def archive(
    path: pathlib.Path,
    *,
    tag: str,
    files: Mapping[str, bytes],
    links: Iterable[tuple[str, str]] = (),
    config: Mapping[str, Any],
) -> None:
    """Write a one-layer image in `docker save` form.

    `files` are executables by path; `links` are (path, target) symbolic links; `config` is the image's run
    configuration (`Entrypoint`, `Cmd`, `Env`, `User`). The same input gives the same bytes.
    """
    layer = _layer(files, links)
    described = {
        "architecture": architecture(),
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        "history": [{"created_by": "pybernetes"}],
    }
    described_bytes = json.dumps(described, sort_keys=True).encode()
    name = hashlib.sha256(described_bytes).hexdigest() + ".json"
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for entry, data in ((name, described_bytes), ("layer.tar", layer), ("manifest.json", _json(manifest))):
            tar.addfile(_entry(entry, len(data)), io.BytesIO(data))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _entry(name: str, size: int = 0, *, mode: int = 0o644, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.type, entry.mtime = size, mode, kind, 0
    return entry


def _layer(files: Mapping[str, bytes], links: Iterable[tuple[str, str]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        links = list(links)
        paths = [*files, *(path for path, _ in links)]
        folders = sorted({str(parent) for path in paths for parent in pathlib.PurePosixPath(path).parents} - {"."})
        for folder in folders:
            tar.addfile(_entry(folder, mode=0o1777 if folder == "tmp" else 0o755, kind=tarfile.DIRTYPE))
        for path, data in files.items():
            tar.addfile(_entry(path, len(data), mode=0o755), io.BytesIO(data))
        for path, target in links:
            link = _entry(path, mode=0o777, kind=tarfile.SYMTYPE)
            link.linkname = target
            tar.addfile(link)
    return buffer.getvalue()


def build_pause(path: pathlib.Path) -> None:
    """Write the pause image's archive for this machine."""
    archive(
        path,
        tag=PAUSE_IMAGE,
        files={"pause": pause.program(architecture())},
        config={"Entrypoint": ["/pause"], "User": "65535:65535"},
    )


async def load(archive_path: pathlib.Path, *, socket: pathlib.Path, ctr: str = "ctr") -> Sequence[str]:
    """Bring an archive's images into containerd; their names. Raises ImportFailed."""
    if not await asyncio.to_thread(archive_path.is_file):
        raise ImportFailed(f"{archive_path}: no such file")
    arguments = ["-a", str(socket), "-n", NAMESPACE, "images", "import", str(archive_path)]
    process = await asyncio.create_subprocess_exec(
        ctr, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode != 0:
        raise ImportFailed(err.decode(errors="replace").strip() or f"ctr exited with {process.returncode}")
    return [line.split()[1] for line in out.decode().splitlines() if line.startswith("unpacking ")]
