"""Measure: `python benchmarks/run.py [simulated] [containerd] [api] [scale]`; all that this machine can, by default."""

from __future__ import annotations

import os
import shutil
import sys

import api
import cluster
import scale


def main() -> None:
    can_run_containers = os.geteuid() == 0 and shutil.which("containerd") is not None
    chosen = sys.argv[1:] or ["simulated", *(["containerd"] if can_run_containers else []), "api", "scale"]
    for name in chosen:
        if name == "api":
            api.run()
        elif name == "scale":
            scale.run()
        elif name in ("simulated", "containerd"):
            cluster.run(name)
        else:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
