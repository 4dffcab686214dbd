"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import pathlib

from pybernetes.cluster import layout


def add_data_dir(parser: argparse.ArgumentParser, *, suppressed: bool = False) -> None:
    """`--data-dir`; `suppressed` for a sub-action's parser, which must not undo what stands before the action."""
    default = layout.default_data_dir()
    parser.add_argument(
        "--data-dir",
        type=lambda text: pathlib.Path(text).absolute(),
        default=argparse.SUPPRESS if suppressed else default,
        metavar="DIR",
        help=f"where the cluster keeps everything ({default})",
    )
