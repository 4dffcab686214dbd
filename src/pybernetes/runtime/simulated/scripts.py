"""What a simulated container does: how long it runs, what it prints, how it ends. Pure.

A container runs until it is stopped, unless its command is one of a few whose end is known (`true`, `false`, `echo`,
`sleep N`, `exit N` in a shell), or its pod is annotated:

    simulated.pybernetes.io/run-seconds: "2.5"      ends after that time
    simulated.pybernetes.io/exit-code: "3"          with that code (ends at once when no time is given)

Appending `.CONTAINER` to an annotation's name makes it hold for that container only.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

RUN_SECONDS = "simulated.pybernetes.io/run-seconds"
EXIT_CODE = "simulated.pybernetes.io/exit-code"
_SHELLS = {"sh", "/bin/sh", "bash", "/bin/bash", "ash", "/bin/ash"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """`seconds` is None for one that runs until stopped; `output` is what it prints first."""

    seconds: float | None = None
    exit_code: int = 0
    output: bytes = b""
    reads_input: bool = False


FOREVER = Script()


def of(words: Sequence[str]) -> Script:
    """The script of a command line."""
    if not words:
        return FOREVER
    name, rest = words[0], list(words[1:])
    if name in _SHELLS and len(rest) >= 2 and rest[0] in ("-c", "-ec", "-xc"):
        return _shell(rest[1])
    match name.rsplit("/", 1)[-1]:
        case "true":
            return Script(seconds=0.0)
        case "false":
            return Script(seconds=0.0, exit_code=1)
        case "echo":
            return Script(seconds=0.0, output=" ".join(rest).encode() + b"\n")
        case "sleep" if rest and (seconds := _number(rest[0])) is not None:
            return Script(seconds=seconds)
        case "exit":
            return Script(seconds=0.0, exit_code=int(rest[0]) & 0xFF if rest and rest[0].isdigit() else 0)
        case "cat" if not rest:
            return Script(reads_input=True)
    return FOREVER


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _shell(text: str) -> Script:
    """Commands separated by `;` or `&&`, one after the other, as far as they are known."""
    seconds, output, code = 0.0, b"", 0
    for line in text.replace("&&", ";").split(";"):
        try:
            words = shlex.split(line)
        except ValueError:
            return Script(output=output)
        if not words:
            continue
        script = of(words)
        output += script.output
        if script.seconds is None:
            return Script(output=output, reads_input=script.reads_input)
        seconds, code = seconds + script.seconds, script.exit_code
        if words[0] == "exit":
            break
    return Script(seconds=seconds, exit_code=code, output=output)


def annotated(script: Script, annotations: Mapping[str, str], container: str) -> Script:
    """The script as the pod's annotations change it."""

    def value(name: str) -> str:
        return annotations.get(f"{name}.{container}", annotations.get(name, ""))

    seconds, code = _number(value(RUN_SECONDS)), _number(value(EXIT_CODE))
    if seconds is None and code is None:
        return script
    return Script(
        seconds=0.0 if seconds is None else seconds,
        exit_code=script.exit_code if code is None else int(code),
        output=script.output,
    )
