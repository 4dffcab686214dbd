"""Parameters of operations, with what they are for; which operations take which is said in `operations`."""

from __future__ import annotations

from typing import Any, NamedTuple

_BOOLEAN, _INTEGER, _STRING = "boolean", "integer", "string"


class Parameter(NamedTuple):
    """One parameter; `place` is "query" or "path"."""

    name: str
    type: str
    description: str
    place: str = "query"

    def tree(self, version: int) -> dict[str, Any]:
        what: dict[str, Any] = {"type": self.type, "uniqueItems": True}
        beside: dict[str, Any] = {"description": self.description, "in": self.place, "name": self.name}
        if self.place == "path":
            beside["required"] = True
        return beside | (what if version == 2 else {"schema": what})


NAMESPACE = Parameter("namespace", _STRING, "namespace of the object", "path")
PATH = Parameter("path", _STRING, "path that is asked for behind the proxy", "path")
PRETTY = Parameter("pretty", _STRING, "whether the answer is indented")
DRY_RUN = Parameter("dryRun", _STRING, "All: go through every stage but keep nothing")
MANAGER = Parameter("fieldManager", _STRING, "who the written fields are booked on")
PATCH_MANAGER = Parameter("fieldManager", _STRING, "who the written fields are booked on; apply patches must have it")
VALIDATION = Parameter("fieldValidation", _STRING, "unknown and duplicate fields: Ignore, Warn or Strict")
FORCE = Parameter("force", _BOOLEAN, "for apply patches: take over fields that others manage")

WRITE = (DRY_RUN, MANAGER, VALIDATION)
PATCH = (DRY_RUN, PATCH_MANAGER, VALIDATION, FORCE)
DELETE = (
    DRY_RUN,
    Parameter("gracePeriodSeconds", _INTEGER, "seconds before the object goes; 0 is at once"),
    Parameter("ignoreStoreReadErrorWithClusterBreakingPotential", _BOOLEAN, "also delete what can no longer be read"),
    Parameter("orphanDependents", _BOOLEAN, "deprecated: use propagationPolicy"),
    Parameter("propagationPolicy", _STRING, "what becomes of dependents: Orphan, Background or Foreground"),
)
_CHOICE = (
    Parameter("continue", _STRING, "token of the previous part of the list"),
    Parameter("fieldSelector", _STRING, "selects by fields"),
    Parameter("labelSelector", _STRING, "selects by labels"),
    Parameter("limit", _INTEGER, "how many objects a part of the list has at most"),
    Parameter("resourceVersion", _STRING, "the revision that is asked for"),
    Parameter("resourceVersionMatch", _STRING, "how the revision is meant: Exact or NotOlderThan"),
    Parameter("sendInitialEvents", _BOOLEAN, "whether a watch begins with what exists"),
    Parameter("timeoutSeconds", _INTEGER, "when the answer ends at the latest"),
)
LIST = (
    Parameter("allowWatchBookmarks", _BOOLEAN, "whether a watch may have bookmarks"),
    *_CHOICE,
    Parameter("watch", _BOOLEAN, "changes as they come instead of a list"),
)
DELETE_COLLECTION = (*_CHOICE, *DELETE)

_CONTAINER = Parameter("container", _STRING, "name of the container")
_STREAMS = (
    Parameter("stderr", _BOOLEAN, "whether standard error is carried"),
    Parameter("stdin", _BOOLEAN, "whether standard input is carried"),
    Parameter("stdout", _BOOLEAN, "whether standard output is carried"),
    Parameter("tty", _BOOLEAN, "whether there is a terminal"),
)
_PROXIED = (Parameter("path", _STRING, "path that is asked for behind the proxy"),)
CONNECT = {
    "attach": (_CONTAINER, *_STREAMS),
    "exec": (Parameter("command", _STRING, "the command and its arguments"), _CONTAINER, *_STREAMS),
    "portforward": (Parameter("ports", _INTEGER, "the ports, for WebSockets"),),
    "proxy": _PROXIED,
}
LOG = (
    _CONTAINER,
    Parameter("follow", _BOOLEAN, "go on as the log grows"),
    Parameter("insecureSkipTLSVerifyBackend", _BOOLEAN, "do not check the certificate of the kubelet"),
    Parameter("limitBytes", _INTEGER, "how many bytes to send at most"),
    Parameter("previous", _BOOLEAN, "the log of the container before this one"),
    Parameter("sinceSeconds", _INTEGER, "not older than so many seconds"),
    Parameter("stream", _STRING, "All, Stdout or Stderr"),
    Parameter("tailLines", _INTEGER, "so many lines from the end"),
    Parameter("timestamps", _BOOLEAN, "begin each line with its time"),
)


def named(kind: str) -> Parameter:
    return Parameter("name", _STRING, f"name of the {kind}", "path")
