from __future__ import annotations

import pathlib
import tomllib

from pybernetes.cluster import containerd


def test_the_configuration_is_private_and_fits_the_machine() -> None:
    layout = containerd.Layout.under(pathlib.Path("/data"), pathlib.Path("/run/x"))
    text = containerd.configuration(
        layout, overlay=False, restrict_oom_score_adj=True, plugins=pathlib.Path("/usr/lib/cni")
    )
    config = tomllib.loads(text)
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert config["grpc"]["address"] == "/run/x/containerd.sock"
    assert cri["restrict_oom_score_adj"] is True
    assert cri["containerd"]["snapshotter"] == "native"
    assert cri["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": "/data/cni"}


def test_missing_capability() -> None:
    assert containerd.lacks_sys_resource("Name:\tx\nCapEff:\t000001fffeffffff\n")
    assert not containerd.lacks_sys_resource("CapEff:\t000001ffffffffff\n")


def test_mounts_innermost_first() -> None:
    info = "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /run/x rw - tmpfs t rw\n3 2 0:3 / /run/x/a rw - tmpfs t rw\n"
    assert containerd.mounts_under(info, ("/run/x",)) == ["/run/x/a", "/run/x"]
    assert containerd.mounts_under(info, ("/run/xy",)) == []
