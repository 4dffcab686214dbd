from __future__ import annotations

import pathlib

import pytest

from pybernetes.kubelet.volumes import atomic, place, sub_path


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not str(path.relative_to(folder)).startswith("..")
    }


def test_content_changes_at_once_and_leaves_nothing_behind(tmp_path: pathlib.Path) -> None:
    assert atomic.write(tmp_path, {"a": atomic.File(b"1"), "d/b": atomic.File(b"2", 0o600)}, stamp="one")
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "d" / "b").read_bytes() == b"2"
    assert (tmp_path / "d" / "b").stat().st_mode & 0o777 == 0o600
    assert not atomic.write(tmp_path, {"a": atomic.File(b"1"), "d/b": atomic.File(b"2")}, stamp="two")
    assert atomic.write(tmp_path, {"a": atomic.File(b"3")}, stamp="three")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["..data", "..three", "a"]
    assert (tmp_path / "a").read_bytes() == b"3"


@pytest.mark.parametrize("path", ["../x", "/x", "..x", "a/../../b"])
def test_paths_that_lead_out_are_refused(tmp_path: pathlib.Path, path: str) -> None:
    with pytest.raises(ValueError, match="invalid path"):
        atomic.write(tmp_path, {path: atomic.File(b"")}, stamp="one")


def test_a_sub_path_never_leads_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "file").touch()
    (tmp_path / "link").symlink_to("inside/file")
    (tmp_path / "out").symlink_to("/etc")
    assert sub_path.set_up(str(tmp_path), "link", tmp_path / "t", mounts=False) == str(tmp_path / "link")
    assert sub_path.set_up(str(tmp_path), "inside/new", tmp_path / "t", mounts=False) == str(tmp_path / "inside/new")
    assert (tmp_path / "inside/new").is_dir()
    with pytest.raises(place.VolumeError):
        sub_path.set_up(str(tmp_path), "out/passwd", tmp_path / "t", mounts=False)
    with pytest.raises(place.VolumeError):
        sub_path.set_up(str(tmp_path), "../x", tmp_path / "t", mounts=False)
