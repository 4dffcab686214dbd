"""Whose write the watch shows."""

from __future__ import annotations

from pybernetes.store.etcd import pending
from pybernetes.store.protocol import Change


def test_a_write_is_recognised_by_its_bytes_and_what_they_replace() -> None:
    writes = pending.Writes()
    mine = pending.Pending("/registry/r/a", b"new", 5)
    writes.add(mine)
    for change, before in (
        (Change("/registry/r/b", b"new", 6, 6), 5),
        (Change("/registry/r/a", b"other", 7, 1), 5),
        (Change("/registry/r/a", b"new", 8, 1), 7),
        (Change("/registry/r/a", None, 9, 1), 5),
    ):
        assert writes.seen(change, before) is change
    assert mine.applied == 0
    shown = writes.seen(Change("/registry/r/a", bytes(bytearray(b"new")), 10, 1), 5)
    assert shown.value is mine.value
    assert mine.applied == 10
    writes.remove(mine)
    again = Change("/registry/r/a", b"new", 11, 1)
    assert writes.seen(again, 5) is again
    assert mine.applied == 10


def test_two_writes_of_one_key_are_told_apart() -> None:
    writes = pending.Writes()
    put, delete = pending.Pending("/registry/r/a", b"1", 5), pending.Pending("/registry/r/a", None, 5)
    writes.add(put)
    writes.add(delete)
    writes.seen(Change("/registry/r/a", None, 6, 1), 5)
    assert (put.applied, delete.applied) == (0, 6)
    writes.remove(put)
    writes.remove(delete)
