"""Flags as upstream's components take them: a table of them, the words of a command line, and the text of `-h`.

Not argparse, because Go's rules are others: a switch takes its value only after `=`, `_` and `-` in names are the same,
no abbreviations, and a flag given twice has its last value or adds up.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from pybernetes.cluster.hyperkube import values

WIDTH = 110
INDENT = 6


class Flag(NamedTuple):
    """One row of a component's table. `default` is the value itself, or None where the help says what happens.

    `aliases` are names that it had once.
    """

    name: str
    kind: values.Kind
    default: Any
    help: str
    group: str
    letter: str = ""
    aliases: tuple[str, ...] = ()


class FlagError(Exception):
    """What is wrong with the command line, one problem in each line."""


class HelpWanted(Exception):
    """`-h` or `--help` was among the words."""


def parse(table: Sequence[Flag], words: Sequence[str]) -> dict[str, Any]:
    """The value of every flag of the table, by name. Raises FlagError, HelpWanted."""
    known = {name: flag for flag in table for name in (flag.name, *flag.aliases)}
    letters = {flag.letter: flag for flag in table if flag.letter}
    given: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in ("-h", "--help"):
            raise HelpWanted
        name, equals, text = word.partition("=")
        if name.startswith("--") and len(name) > 2:
            flag = known.get(name[2:].replace("_", "-"))
        elif name.startswith("-") and len(name) == 2:
            flag = letters.get(name[1:])
        else:
            raise FlagError(f"takes no arguments, got {word!r}")
        if flag is None:
            raise FlagError(_unknown(name, list(known)))
        if not equals and flag.kind is values.BOOL:
            text = "true"
        elif not equals:
            if not rest:
                raise FlagError(f"flag needs an argument: --{flag.name}")
            text = rest.pop(0)
        try:
            value = flag.kind.read(text)
        except ValueError as error:
            raise FlagError(f'invalid argument "{text}" for "--{flag.name}" flag: {error}') from None
        given[flag.name] = [*given.get(flag.name, []), *value] if flag.kind.many else value
    return {flag.name: given.get(flag.name, flag.default) for flag in table}


def _unknown(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name.lstrip("-"), known, n=1)
    return f"unknown flag: {name}" + (f" (did you mean --{close[0]}?)" if close else "")


def text(table: Sequence[Flag]) -> str:
    """The flags by group, in the table's order, as `-h` prints them."""
    groups: dict[str, list[Flag]] = {}
    for flag in table:
        groups.setdefault(flag.group, []).append(flag)
    sections = []
    for group, flags in groups.items():
        rows = [f"{group}:"]
        for flag in flags:
            letter = f"-{flag.letter}, " if flag.letter else ""
            rows.append(f"  {letter}--{flag.name} {flag.kind.word}".rstrip())
            rows += textwrap.wrap(
                flag.help + _default(flag) + _once(flag),
                WIDTH,
                initial_indent=" " * INDENT,
                subsequent_indent=" " * INDENT,
            )
        sections.append("\n".join(rows))
    return "\n\n".join(sections)


def _once(flag: Flag) -> str:
    return f" (once {' and '.join(f'--{name}' for name in flag.aliases)})" if flag.aliases else ""


def _default(flag: Flag) -> str:
    if flag.default in (None, "", [], False):
        return ""
    return f" (default {_shown(flag)})"


def _shown(flag: Flag) -> str:
    default = flag.default
    if flag.kind is values.BOOL:
        return "true"
    if flag.kind is values.DURATION:
        return duration(default)
    if flag.kind is values.PORTS:
        return f"{default[0]}-{default[1]}"
    return ",".join(default) if isinstance(default, list) else str(default)


def duration(seconds: float) -> str:
    """As Go writes whole seconds: `1h0m0s`."""
    whole = int(seconds)
    hours, minutes = divmod(whole, 3600)
    if hours:
        return f"{hours}h{minutes // 60}m{whole % 60}s"
    return f"{whole // 60}m{whole % 60}s" if whole >= 60 else f"{whole}s"
