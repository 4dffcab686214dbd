"""What the commands print, and those who stop reading it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def until_unread(command: Callable[[], int]) -> int:
    """The command's status; 0 where whoever reads its output has seen enough (`| head`): the rest goes nowhere."""
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
