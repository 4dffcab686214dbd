"""The `hyperkube` program: `hyperkube kube-apiserver ...`, or just `kube-apiserver ...` where it is linked as that."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence

from pybernetes.cluster import output
from pybernetes.cluster.hyperkube import table


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and (called := pathlib.Path(sys.argv[0]).name) in table.COMPONENTS:
        words.insert(0, called)
    if not words or words[0] in ("-h", "--help"):
        print(_help(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    name = words[0]
    if name not in table.COMPONENTS:
        print(_absent(name), file=sys.stderr)
        return 2
    return output.until_unread(lambda: table.load(name).main(words[1:]))


def _listed() -> str:
    return "\n".join(f"  {name:<23}  {summary}" for name, summary in table.COMPONENTS.items())


def _help() -> str:
    return (
        "Run one component of Kubernetes by itself, with upstream's flags.\n\n"
        "usage: hyperkube COMPONENT [FLAGS]\n\n"
        f"components:\n{_listed()}\n\n"
        "`hyperkube COMPONENT -h` lists its flags. A whole cluster is `pybernetes up`."
    )


def _absent(name: str) -> str:
    return f"hyperkube has no component {name!r}. There is:\n{_listed()}"


if __name__ == "__main__":
    sys.exit(main())
