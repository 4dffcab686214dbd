"""Termination messages: what a container left in its message file, or at the end of its log. Blocking, small reads."""

from __future__ import annotations

import pathlib

from pybernetes.kubelet.containers import labels
from pybernetes.runtime import protocol

MAX_FILE = 4096
MAX_LOG_LINES, MAX_LOG = 80, 2048


def of(found: protocol.ContainerStatus) -> str:
    """The message of a container that ended; the runtime's own words come first."""
    text = _file(found.annotations.get(labels.TERMINATION_MESSAGE_FILE, ""))
    policy = found.annotations.get(labels.TERMINATION_MESSAGE_POLICY, "")
    if not text and policy == "FallbackToLogsOnError" and found.exit_code != 0:
        text = _log_tail(found.log_path)
    return "\n".join(part for part in (found.message, text) if part)


def _file(path: str) -> str:
    if not path:
        return ""
    try:
        with open(path, "rb") as file:
            return file.read(MAX_FILE).decode(errors="replace")
    except OSError:
        return ""


def _log_tail(path: str) -> str:
    try:
        data = pathlib.Path(path).read_bytes()[-16 * MAX_LOG :]
    except (OSError, ValueError):
        return ""
    texts = [line.split(b" ", 3)[3] for line in data.splitlines()[-MAX_LOG_LINES:] if line.count(b" ") >= 3]
    return b"\n".join(texts)[-MAX_LOG:].decode(errors="replace")
