from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.kubelet.server import log_lines

LINES = [
    b"2026-01-02T03:04:05.000000001Z stdout F one",
    b"2026-01-02T03:04:06.5Z stderr F two",
    b"2026-01-02T03:04:07Z stdout P thr",
    b"2026-01-02T03:04:07Z stdout F ee",
]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, b"one\ntwo\nthree\n"),
        (
            {"timestamps": True},
            b"2026-01-02T03:04:05.000000001Z one\n2026-01-02T03:04:06.5Z two\n2026-01-02T03:04:07Z three\n",
        ),
        ({"stream": "stderr"}, b"two\n"),
        ({"limit_bytes": 5}, b"one\nt"),
        ({"since": 1767323046.0}, b"two\nthree\n"),
    ],
)
def test_what_a_reader_sees(options: dict[str, object], shown: bytes) -> None:
    selector = log_lines.Selector(log_lines.Options(**options))  # type: ignore[arg-type]
    assert selector.show(LINES) == shown


@given(st.lists(st.binary(max_size=50).map(lambda text: text.replace(b"\n", b"")), max_size=30), st.integers(0, 40))
def test_the_tail_is_the_last_lines(lines: list[bytes], wanted: int) -> None:
    data = b"".join(line + b"\n" for line in lines)
    offset = log_lines.tail_offset(io.BytesIO(data), wanted)
    assert data[offset:] == b"".join(line + b"\n" for line in lines[max(0, len(lines) - wanted) :])


def test_a_tail_longer_than_a_block() -> None:
    data = b"".join(b"%06d\n" % number for number in range(50_000))
    offset = log_lines.tail_offset(io.BytesIO(data), 20_000)
    assert data[offset : offset + 6] == b"030000"


def test_garbage_is_left_out() -> None:
    assert log_lines.parse(b"no log line") is None
