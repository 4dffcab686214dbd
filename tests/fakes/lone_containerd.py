"""containerd with a bridge network, and nothing else of a node: `python -m tests.fakes.lone_containerd FOLDER IMAGE...`

Says "ready" when it answers and has the images (archives), and takes everything down after SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import signal
import sys

from pybernetes.cluster import containerd
from pybernetes.kits import clock as clocks

NETWORK = {
    "cniVersion": "0.4.0",
    "name": "lone",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "lone0",
            "isGateway": True,
            "ipMasq": True,
            "ipam": {"type": "host-local", "subnet": "10.244.7.0/24", "routes": [{"dst": "0.0.0.0/0"}]},
        },
    ],
}


async def run(folder: pathlib.Path, archives: list[pathlib.Path]) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    layout = containerd.Layout.under(folder, folder / "run")
    for made in (layout.cni_conf, layout.log.parent, folder / "run"):
        made.mkdir(parents=True)
    (layout.cni_conf / "10-lone.conflist").write_text(json.dumps(NETWORK))
    daemon = containerd.Containerd(layout, clock=clocks.SystemClock())
    try:
        await daemon.start()
        await daemon.ensure_pause()
        for archive in archives:
            await daemon.load_image(archive)
        print("ready", flush=True)
        await stopping.wait()
    finally:
        await daemon.stop()


if __name__ == "__main__":
    asyncio.run(run(pathlib.Path(sys.argv[1]), [pathlib.Path(name) for name in sys.argv[2:]]))
