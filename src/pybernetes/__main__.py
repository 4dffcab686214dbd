"""The `pybernetes` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pybernetes.cluster import output
from pybernetes.cluster.commands import arguments as arguments_
from pybernetes.cluster.commands import table

DESCRIPTION = """\
Kubernetes in one pip install: a whole cluster on this machine, compatible with Kubernetes 1.36.

  pybernetes up                              start it
  pybernetes kubectl get nodes               use it (or any kubectl: the context is `pybernetes`)
  pybernetes down                            stop it
"""
INTERNAL = ("run-supervisor", *table.INTERNAL)


def parser_for(name: str, commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add one command's parser; only the one in use is imported."""
    command = table.load(name)
    parser = commands.add_parser(
        name,
        help=table.COMMANDS.get(name),
        description=command.DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments_.add_data_dir(parser)
    command.add_arguments(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    return output.until_unread(lambda: _run(words))


def _run(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="pybernetes", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    wanted = next((word for word in words if word in table.COMMANDS or word in INTERNAL), "")
    for name, summary in table.COMMANDS.items():
        if name == wanted:
            parser_for(name, commands)
        else:
            commands.add_parser(name, help=summary, add_help=False)
    if wanted in INTERNAL:
        parser_for(wanted, commands)
    if wanted == "kubectl":
        # kubectl has its own options, --help among them.
        return _kubectl(words)
    parsed = parser.parse_args(words)
    if parsed.command is None:
        parser.print_help()
        return 2
    return table.load(parsed.command).run(parsed)


def _kubectl(words: list[str]) -> int:
    at = words.index("kubectl")
    mine = argparse.ArgumentParser(add_help=False)
    arguments_.add_data_dir(mine)
    rest = words[at + 1 :]
    leading: list[str] = words[:at]
    if rest and rest[0].startswith("--data-dir"):
        taken = 1 if "=" in rest[0] else 2
        leading += rest[:taken]
        rest = rest[taken:]
    parsed = mine.parse_args(leading)
    parsed.arguments = rest
    return table.load("kubectl").run(parsed)


def _version() -> str:
    from importlib import metadata

    return f"pybernetes {metadata.version('pybernetes')} (Kubernetes 1.36)"


if __name__ == "__main__":
    sys.exit(main())
