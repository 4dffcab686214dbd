"""Paths taken apart, and links that lead through the proxy."""

from __future__ import annotations

import pytest

from pybernetes.apiserver.forwarding import links

POD = "/api/v1/namespaces/default/pods/web:80/proxy"


class TestTarget:
    @pytest.mark.parametrize(
        ("behind", "path"),
        [
            ("", ""),
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//a//b//", "/a/b/"),
            ("/a/../b/./c", "/b/c"),
            ("/../../x", "/x"),
            ("/%2e%2e/x", "/x"),
            ("/a%20b%3Fc%2Fd", "/a%20b%3Fc/d"),
            ("/caf%C3%A9/%FF", "/caf%C3%A9/%FF"),
            ("/!(a);b=c,$d&e+f:g@h~", "/%21%28a%29;b=c,$d&e+f:g@h~"),
        ],
    )
    def test_what_is_asked_for(self, behind: str, path: str) -> None:
        assert links.target(POD + behind, namespaced=True) == (POD, path)

    def test_nodes_are_in_no_namespace(self) -> None:
        assert links.target("/api/v1/nodes/n/proxy/logs/", namespaced=False) == ("/api/v1/nodes/n/proxy", "/logs/")


class TestRewrite:
    leading = links.Links(POD, "10.0.0.7:8080", "localhost:8001")

    @pytest.mark.parametrize(
        ("link", "expected"),
        [
            ("/", f"{POD}/"),
            ("/a/b?c=d#e", f"{POD}/a/b?c=d#e"),
            ("/a/", f"{POD}/a/"),
            ("http://10.0.0.7:8080/a", f"{POD}/a"),
            ("//10.0.0.7:8080/a", f"{POD}/a"),
            ("http://localhost:8001/a", f"http://localhost:8001{POD}/a"),
            ("/a%20b", f"{POD}/a%20b"),
        ],
    )
    def test_through_the_proxy(self, link: str, expected: str) -> None:
        assert self.leading.rewrite(link) == expected

    @pytest.mark.parametrize(
        "link",
        ["", "a/b", "../a", "?x=y", "#top", "mailto:a@b", "javascript:x()", "http://example.com/a", f"{POD}/a"],
    )
    def test_what_stays(self, link: str) -> None:
        assert self.leading.rewrite(link) == link

    def test_what_is_no_link(self) -> None:
        with pytest.raises(ValueError, match="IPv6"):
            self.leading.rewrite("http://[x/")
