"""Static bearer tokens from a file of `token,user,uid,"group1,group2"` lines (`--token-auth-file`)."""

from __future__ import annotations

import csv
import pathlib

from pybernetes.apiserver import request as requests


class TokenFileError(ValueError):
    """A line that cannot be read."""


def read(path: pathlib.Path) -> dict[str, requests.User]:
    """Token -> user. Raises TokenFileError naming the line."""
    users = {}
    with path.open(newline="") as file:
        for number, row in enumerate(csv.reader(file, skipinitialspace=True), 1):
            if not row:
                continue
            if len(row) < 3 or not row[0] or not row[1]:
                raise TokenFileError(f"{path}:{number}: a line is token,user,uid[,groups]")
            groups = tuple(filter(None, (group.strip() for group in row[3].split(",")))) if len(row) > 3 else ()
            users[row[0]] = requests.User(row[1], row[2], (*groups, "system:authenticated"))
    return users
