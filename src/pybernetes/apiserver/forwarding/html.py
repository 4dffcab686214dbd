"""Links in pages of HTML, changed as the page passes: a proxied page's links lead through the proxy.

Only values of attributes that are links are touched; every other byte is passed on as it came. No more is held than
a tag that has not ended yet.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

ATTRIBUTES: dict[bytes, tuple[bytes, ...]] = {
    b"a": (b"href",),
    b"applet": (b"codebase",),
    b"area": (b"href",),
    b"audio": (b"src",),
    b"base": (b"href",),
    b"blockquote": (b"cite",),
    b"body": (b"background",),
    b"button": (b"formaction",),
    b"command": (b"icon",),
    b"del": (b"cite",),
    b"embed": (b"src",),
    b"form": (b"action",),
    b"frame": (b"longdesc", b"src"),
    b"head": (b"profile",),
    b"html": (b"manifest",),
    b"iframe": (b"longdesc", b"src"),
    b"img": (b"longdesc", b"src", b"usemap"),
    b"input": (b"src", b"usemap", b"formaction"),
    b"ins": (b"cite",),
    b"link": (b"href",),
    b"object": (b"classid", b"codebase", b"data", b"usemap"),
    b"q": (b"cite",),
    b"script": (b"src",),
    b"source": (b"src",),
    b"video": (b"poster", b"src"),
}
# What is in them is text, up to their end tag.
RAW = (
    b"iframe",
    b"noembed",
    b"noframes",
    b"noscript",
    b"plaintext",
    b"script",
    b"style",
    b"textarea",
    b"title",
    b"xmp",
)
# A tag longer than this, in bytes, is passed on as it is: reading it again and again must not cost much.
LONGEST_TAG = 16 * 1024

_OPEN = re.compile(rb"<([A-Za-z][^\s/>]*+)")
_BETWEEN = re.compile(rb"[\s/]*+")
_NAME = re.compile(rb"[^\s/>][^\s/>=]*+")
_EQUALS = re.compile(rb"\s*+=\s*+")
_BARE = re.compile(rb"[^\s>]*+")
_COMMENT = re.compile(rb"-->")


class Incomplete(Exception):
    """The tag ends in what has not arrived yet."""


class Rewriter:
    """`rewrite` changes a link; it raises ValueError for what is none."""

    def __init__(self, rewrite: Callable[[str], str]) -> None:
        self._rewrite = rewrite
        self._held = b""
        # The end of what is passed on unread: a comment, a script.
        self._until: re.Pattern[bytes] | None = None
        self._until_length = 0

    def feed(self, data: bytes) -> bytes:
        """What can be passed on now. Give it a few kilobytes at a time: it takes a millisecond for ten."""
        in_tag = self._until is None and _OPEN.match(self._held) is not None
        if in_tag and b">" not in data and len(self._held) + len(data) <= LONGEST_TAG:
            self._held += data
            return b""
        return self._read(self._held + data, last=False)

    def end(self) -> bytes:
        """What was held."""
        return self._read(self._held, last=True)

    def _read(self, text: bytes, *, last: bool) -> bytes:
        done: list[bytes] = []
        at = 0
        while at < len(text):
            if self._until is not None:
                found = self._until.search(text, at)
                if found is None:
                    keep = len(text) if last else max(at, len(text) - self._until_length + 1)
                    done.append(text[at:keep])
                    at = keep
                    break
                done.append(text[at : found.end()])
                at = found.end()
                self._until = None
                continue
            start = text.find(b"<", at)
            if start < 0:
                done.append(text[at:])
                at = len(text)
                break
            done.append(text[at:start])
            at = start
            if not last and len(text) - start < len(b"<!--"):
                break
            if text.startswith(b"<!--", start):
                self._skip(_COMMENT, 3)
                done.append(text[at : at + 4])
                at += 4
                continue
            opened = _OPEN.match(text, start)
            if opened is None:
                done.append(b"<")
                at += 1
                continue
            try:
                at = self._tag(text, opened, done)
            except Incomplete:
                if last or len(text) - start > LONGEST_TAG:
                    done.append(text[start:])
                    at = len(text)
                break
        self._held = text[at:]
        return b"".join(done)

    def _tag(self, text: bytes, opened: re.Match[bytes], done: list[bytes]) -> int:
        """Appends the tag, its links changed; where it ends. Raises Incomplete."""
        name = opened[1].lower()
        wanted = ATTRIBUTES.get(name, ())
        parts: list[bytes] = []
        copied = opened.start()
        at = opened.end()
        while True:
            at = _end(_BETWEEN, text, at)
            if at >= len(text):
                raise Incomplete
            if text[at : at + 1] == b">":
                break
            start, at = at, _end(_NAME, text, at)
            attribute = text[start:at].lower()
            if at >= len(text):
                raise Incomplete
            equals = _EQUALS.match(text, at)
            if equals is None:
                continue
            start, end, at = _value(text, equals.end())
            if attribute in wanted:
                changed = self._changed(text[start:end])
                if changed is not None:
                    quoted = b'"' + changed + b'"' if start == equals.end() else changed
                    parts += (text[copied:start], quoted)
                    copied = end
        parts.append(text[copied : at + 1])
        done += parts
        if name in RAW:
            self._skip(re.compile(rb"</" + name + rb"(?=[\s/>])", re.IGNORECASE), len(name) + 3)
        return at + 1

    def _skip(self, until: re.Pattern[bytes], length: int) -> None:
        self._until, self._until_length = until, length

    def _changed(self, value: bytes) -> bytes | None:
        """The attribute's value with its link changed, None if it stays."""
        link = html.unescape(value.decode("utf-8", "surrogateescape"))
        try:
            changed = self._rewrite(link)
        except ValueError:
            return None
        return None if changed == link else html.escape(changed).encode("utf-8", "surrogateescape")


def _end(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _value(text: bytes, at: int) -> tuple[int, int, int]:
    """Start and end of an attribute's value, and where the tag goes on. Raises Incomplete."""
    first = text[at : at + 1]
    if first in (b'"', b"'"):
        end = text.find(first, at + 1)
        if end < 0:
            raise Incomplete
        return at + 1, end, end + 1
    end = _end(_BARE, text, at)
    if end >= len(text):
        raise Incomplete
    return at, end, end
