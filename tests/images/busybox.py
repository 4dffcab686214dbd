"""A busybox image from Debian's busybox-static: the container content of tests where nothing can be pulled."""

from __future__ import annotations

import pathlib
import subprocess

from pybernetes.cluster import images

IMAGE = "docker.io/library/busybox:1"
NEXT = "docker.io/library/busybox:2"
BINARY = pathlib.Path("/bin/busybox")


def build_busybox_archive(path: pathlib.Path, *, tag: str = IMAGE) -> None:
    """Write the image's archive: /bin/busybox, a link per applet, and the few files that programs look for."""
    applets = subprocess.run([str(BINARY), "--list"], check=True, capture_output=True, text=True).stdout.split()
    files = {
        "bin/busybox": BINARY.read_bytes(),
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
        "etc/group": b"root:x:0:\nnobody:x:65534:\n",
        "etc/image": tag.encode() + b"\n",
        "tmp/.keep": b"",
        "root/.keep": b"",
        "var/.keep": b"",
    }
    links = [(f"bin/{name}", "busybox") for name in applets if name != "busybox"]
    images.archive(
        path,
        tag=tag,
        files=files,
        links=links,
        config={"Cmd": ["sh"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
    )
