"""Command lines as Go's flag library reads them."""

from __future__ import annotations

import pytest

from pybernetes.cluster.hyperkube import flags, values

TABLE = (
    flags.Flag("port", values.INT, 6443, "The port.", "Serving"),
    flags.Flag("quiet", values.BOOL, True, "Say little.", "General"),
    flags.Flag("names", values.STRINGS, [], "Names.", "General"),
    flags.Flag("keep-for", values.DURATION, 5400.0, "How long.", "General"),
    flags.Flag("v", values.INT, 0, "Loudness.", "General", "v"),
)


def test_defaults() -> None:
    assert flags.parse(TABLE, []) == {"port": 6443, "quiet": True, "names": [], "keep-for": 5400.0, "v": 0}


def test_both_ways_to_give_a_value() -> None:
    assert flags.parse(TABLE, ["--port", "1", "--keep-for=1m", "-v", "3"]) == {
        "port": 1, "quiet": True, "names": [], "keep-for": 60.0, "v": 3,
    }  # fmt: skip
    assert flags.parse(TABLE, ["--keep_for", "1m"])["keep-for"] == 60.0


def test_a_switch_takes_its_value_after_an_equals_sign_only() -> None:
    assert flags.parse(TABLE, ["--quiet=false"])["quiet"] is False
    with pytest.raises(flags.FlagError, match="takes no arguments, got 'false'"):
        flags.parse(TABLE, ["--quiet", "false"])


def test_the_last_value_counts_and_lists_add_up() -> None:
    got = flags.parse(TABLE, ["--port=1", "--names=a,b", "--port=2", "--names", "c"])
    assert got["port"] == 2
    assert got["names"] == ["a", "b", "c"]
    assert flags.parse(TABLE, [])["names"] == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--prot=1"], r"unknown flag: --prot \(did you mean --port\?\)"),
        (["--zzz"], "unknown flag: --zzz$"),
        (["-z"], "unknown flag: -z"),
        (["--port"], "flag needs an argument: --port"),
        (["--port=x"], 'invalid argument "x" for "--port" flag: must be a whole number'),
        (["serve"], "takes no arguments, got 'serve'"),
        (["--"], "unknown flag: --$"),
    ],
)
def test_what_is_wrong(words: list[str], why: str) -> None:
    with pytest.raises(flags.FlagError, match=why):
        flags.parse(TABLE, words)


def test_help() -> None:
    with pytest.raises(flags.HelpWanted):
        flags.parse(TABLE, ["--port=1", "-h"])
    text = flags.text(TABLE)
    assert text.index("Serving:") < text.index("General:")
    assert "  --port int\n      The port. (default 6443)" in text
    assert "--keep-for duration\n      How long. (default 1h30m0s)" in text
    assert "  -v, --v int\n      Loudness.\n" in text + "\n"
    assert "  --quiet\n      Say little. (default true)" in text
