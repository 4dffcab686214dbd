"""What the command lines of components have in common: flags read, help and mistakes told, logging begun."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pybernetes.api import version
from pybernetes.cluster import processes
from pybernetes.cluster.hyperkube import flags as flags_
from pybernetes.cluster.hyperkube import logging_flags
from pybernetes.kits import clock as clocks


def run(
    name: str,
    description: str,
    table: Sequence[flags_.Flag],
    words: Sequence[str],
    make: Callable[[Mapping[str, Any], clocks.Clock], processes.Part | int],
    *,
    said: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda given: {},
) -> int:
    """Status 2 where the flags are wrong. `make` raises FlagError for values that do not go together;
    where nothing is to be run, it answers the status.

    `said` is what stands for flags that are not given, by what others are: a file that one of them names has it.
    """
    clock = clocks.SystemClock()
    try:
        given = flags_.parse(table, words)
        if not given["version"] and (instead := said(given)):
            table = [flag._replace(default=instead.get(flag.name, flag.default)) for flag in table]
            given = flags_.parse(table, words)
        if given["version"]:
            print(f"Kubernetes {version.GIT_VERSION}")
            return 0
        part = make(given, clock)
    except flags_.HelpWanted:
        print(f"{description}\n{flags_.text(table)}")
        return 0
    except flags_.FlagError as error:
        for problem in str(error).splitlines():
            print(f"{name}: {problem}", file=sys.stderr)
        print(f"`hyperkube {name} -h` lists the flags.", file=sys.stderr)
        return 2
    if isinstance(part, int):
        return part
    logging_flags.begin(given)
    return processes.run_alone(name, part, clock)
