"""What a simulated container does: when it starts, how long it runs, what it prints, how it ends. Pure.

A container runs until it is stopped, unless its command is one of a few whose end is known (`true`, `false`, `echo`,
`sleep N`, `exit N` in a shell), its image starts but a shell (`busybox` without a command) or has a script, or its pod
is annotated (times are seconds):

    simulated.pybernetes.io/start-seconds: "2"       the image takes that long to come
    simulated.pybernetes.io/run-seconds: "2.5"       ends that long after its start
    simulated.pybernetes.io/exit-code: "1,1,0"       of the first, second, third run; the last holds for all that follow
    simulated.pybernetes.io/stop-seconds: "5"        takes that long to end when asked to
    simulated.pybernetes.io/ready: "3,20,25"         ready from 3 s after the start, not from 20, ready again from 25
    simulated.pybernetes.io/startup-seconds: "4"     its startup probe succeeds from then on
    simulated.pybernetes.io/liveness-fails: "60"     its liveness probe fails from then on
    simulated.pybernetes.io/unpullable: "true"       its image cannot be had

Appending `.CONTAINER` to an annotation's name makes it hold for that container only. An exit code without a time
ends the container at once.
"""

from __future__ import annotations

import fnmatch
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

PREFIX = "simulated.pybernetes.io/"
# An image whose name has this word in it cannot be had.
UNPULLABLE = "unpullable"
# Images that start a shell when they are told nothing: without an input it ends at once.
SHELLS = frozenset({"busybox", "alpine", "debian", "ubuntu", "bash", "fedora", "centos"})
_SHELLS = {"sh", "/bin/sh", "bash", "/bin/bash", "ash", "/bin/ash"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Times are seconds. `run` is None for one that runs until stopped; `output` is what it prints first."""

    start: float = 0.0
    run: float | None = None
    exit_codes: tuple[int, ...] = (0,)
    stop: float = 0.0
    ready: tuple[float, ...] = ()
    startup: float = 0.0
    liveness_fails: float | None = None
    unpullable: bool = False
    output: bytes = b""
    reads_input: bool = False

    def exit_code(self, attempt: int = 0) -> int:
        """Of the run with that number, from 0."""
        return self.exit_codes[min(attempt, len(self.exit_codes) - 1)]

    def is_ready(self, seconds: float) -> bool:
        """Whether it serves that long after its start."""
        if not self.ready:
            return True
        return sum(1 for at in self.ready if at <= seconds) % 2 == 1

    def next_flip(self, seconds: float) -> float | None:
        """When, after its start, its readiness changes next."""
        return min((at for at in self.ready if at > seconds), default=None)


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
            return Script(run=0.0)
        case "false":
            return Script(run=0.0, exit_codes=(1,))
        case "echo":
            return Script(run=0.0, output=" ".join(rest).encode() + b"\n")
        case "sleep" if rest and (seconds := _number(rest[0])) is not None:
            return Script(run=seconds)
        case "exit":
            return Script(run=0.0, exit_codes=(int(rest[0]) & 0xFF if rest and rest[0].isdigit() else 0,))
        case "cat" if not rest:
            return Script(reads_input=True)
    return FOREVER


def _is_true(text: str) -> bool:
    return text.lower() == "true"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(found for word in text.split(",") if (found := _number(word)) is not None)


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
        if script.run is None:
            return Script(output=output, reads_input=script.reads_input)
        seconds, code = seconds + script.run, script.exit_code()
        if words[0] == "exit":
            break
    return Script(run=seconds, exit_codes=(code,), output=output)


def changed(script: Script, words: Mapping[str, str]) -> Script:
    """The script with what the words say, named as the annotations are, without their prefix."""
    if not words:
        return script
    found: dict[str, object] = {}
    for word, field in (
        ("start-seconds", "start"),
        ("run-seconds", "run"),
        ("stop-seconds", "stop"),
        ("startup-seconds", "startup"),
        ("liveness-fails", "liveness_fails"),
    ):
        if (seconds := _number(words.get(word, ""))) is not None:
            found[field] = seconds
    if codes := _numbers(words.get("exit-code", "")):
        found["exit_codes"] = tuple(int(code) for code in codes)
        found.setdefault("run", script.run or 0.0)
    if flips := _numbers(words.get("ready", "")):
        found["ready"] = flips
    if "unpullable" in words:
        found["unpullable"] = _is_true(words["unpullable"])
    return replace(script, **found)  # type: ignore[arg-type]


def annotated(annotations: Mapping[str, str], container: str) -> dict[str, str]:
    """The words that a pod's annotations have for a container."""
    found, own = {}, {}
    for name, value in annotations.items():
        if name.startswith(PREFIX):
            word, _, only = name[len(PREFIX) :].partition(".")
            if not only:
                found[word] = value
            elif only == container:
                own[word] = value
    return found | own


class Images:
    """Scripts by image: patterns as of a shell (`*/nginx:*`) to words as in the annotations; the first match counts."""

    def __init__(self, patterns: Iterable[tuple[str, Mapping[str, str]]] = ()) -> None:
        self._patterns = [(pattern, dict(words)) for pattern, words in patterns]

    def words(self, image: str) -> Mapping[str, str]:
        if UNPULLABLE in image:
            return {"unpullable": "true"}
        return next((words for pattern, words in self._patterns if fnmatch.fnmatchcase(image, pattern)), {})

    def unpullable(self, image: str) -> bool:
        return _is_true(self.words(image).get("unpullable", ""))


NO_IMAGES = Images()


def script_of(
    words: Sequence[str], *, image: str = "", annotations: Mapping[str, str], container: str, images: Images = NO_IMAGES
) -> Script:
    """What a container does, by its command line, its image and its pod's annotations; the last has the last word."""
    plain = of(words) if words or _repository(image) not in SHELLS else Script(run=0.0)
    return changed(changed(plain, images.words(image)), annotated(annotations, container))


def _repository(image: str) -> str:
    """`registry:5000/library/busybox:1@sha256:...` -> `busybox`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]
