"""What keys are called in etcd: the same, but for the prefix that upstream's `--etcd-prefix` puts in place of ours."""

from __future__ import annotations

ROOT = "/registry"
# Where upstream keeps what was last compacted; without a prefix, because compaction is for all of etcd.
COMPACTED = b"compact_rev_key"


class Names:
    """Everything lies in `[start, end)`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = ("/" + prefix.strip("/")).encode()
        self.start = self._prefix + b"/"
        self.end = self._prefix + b"0"
        # Written to find out whether the watch is behind, where etcd cannot say so itself; below no resource.
        self.pulse = self.start + b"pulse"

    def to_etcd(self, key: str) -> bytes:
        return self._prefix + key.removeprefix(ROOT).encode()

    def from_etcd(self, key: bytes) -> str:
        return ROOT + key[len(self._prefix) :].decode(errors="replace")


def end_of(prefix: bytes) -> bytes:
    """The first key after all that start with the prefix, which ends with a slash."""
    return prefix[:-1] + b"0"
