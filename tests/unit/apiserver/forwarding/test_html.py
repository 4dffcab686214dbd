"""Links in pages, as the pages pass."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver.forwarding import html


def shout(link: str) -> str:
    if "[" in link:
        raise ValueError(link)
    return link.upper()


def rewrite(page: bytes, *, step: int = 1 << 20) -> bytes:
    rewriter = html.Rewriter(shout)
    parts = [rewriter.feed(page[at : at + step]) for at in range(0, len(page), step)]
    return b"".join(parts) + rewriter.end()


CASES = [
    (b'<a href="/x">x</a>', b'<a href="/X">x</a>'),
    (b"<a href='/x' title=\"/x\">", b"<a href='/X' title=\"/x\">"),
    (b"<A\nHREF = /x>", b'<A\nHREF = "/X">'),
    (b"<img src=/a.png longdesc=/b usemap='/c' alt=/d />", b'<img src="/A.PNG" longdesc="/B" usemap=\'/C\' alt=/d />'),
    (b'<a href="/a?b=1&amp;c=2">', b'<a href="/A?B=1&amp;C=2">'),
    (b'<a title="a > b" href="/x">', b'<a title="a > b" href="/X">'),
    (b'<form action="/x"><button formaction="/y">', b'<form action="/X"><button formaction="/Y">'),
    ('<a href="/é">ü'.encode(), '<a href="/É">ü'.encode()),
]
SAME = [
    b"",
    b"plain < text > & more",
    b'<p class="x">',
    b'<a href="[">',
    b'<!-- <a href="/x"> -->',
    b'</a href="/x">',
    b'<script>"<a href=/x>"</script>',
    b"<style>a { } </styl <a href=/x></style>",
    b"<textarea><a href=/x></textarea>",
    b'<a href="/x',
    b"<a",
    b"<",
    b"<!-",
    b"<a href=>",
    b"<a = / href>",
    b"\xff<p>\xfe",
]


class TestRewriting:
    @pytest.mark.parametrize(("page", "expected"), CASES)
    def test_links_change(self, page: bytes, expected: bytes) -> None:
        assert rewrite(page) == expected

    @pytest.mark.parametrize("page", SAME)
    def test_everything_else_stays(self, page: bytes) -> None:
        assert rewrite(page) == page

    def test_after_scripts_and_comments_links_count_again(self) -> None:
        page = b'<script src="/s">if (a<b) {}</SCRIPT ><a href="/x"><!-- - --><a href="/y">'
        assert rewrite(page) == b'<script src="/S">if (a<b) {}</SCRIPT ><a href="/X"><!-- - --><a href="/Y">'

    def test_what_has_passed_is_not_held(self) -> None:
        rewriter = html.Rewriter(shout)
        assert rewriter.feed(b"<p>text <a hre") == b"<p>text "
        assert rewriter.feed(b'f="/x') == b""
        assert rewriter.feed(b'">more') == b'<a href="/X">more'

    @given(
        st.lists(st.sampled_from([page for page, _ in CASES] + SAME + [b"<", b">", b"'", b'"', b"--", b"script"])),
        st.integers(1, 30),
    )
    def test_pieces_make_no_difference(self, pages: list[bytes], step: int) -> None:
        page = b"".join(pages)
        assert rewrite(page, step=step) == rewrite(page)

    @given(st.binary(max_size=200), st.integers(1, 20))
    def test_no_byte_is_lost(self, page: bytes, step: int) -> None:
        rewriter = html.Rewriter(lambda link: link)
        parts = [rewriter.feed(page[at : at + step]) for at in range(0, len(page), step)]
        assert b"".join(parts) + rewriter.end() == page

    @pytest.mark.parametrize("evil", [b"<a ", b"<a href='", b"<!--", b"<script>", b"<", b"<a b=", b'<a "'])
    def test_no_page_takes_long(self, evil: bytes) -> None:
        page = evil * (200_000 // len(evil))
        start = time.process_time()
        assert rewrite(page, step=1400) == page
        assert time.process_time() - start < 2
