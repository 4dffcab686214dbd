"""Which headers are passed on."""

from __future__ import annotations

from pybernetes.apiserver.forwarding import headers


class TestRequests:
    def of(self, peer: str = "192.0.2.1", **given: str) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in given.items()}
        return dict(headers.of_request(named, peer=peer, forwarded_uri="/proxy/x"))

    def test_the_clients_own_go_with_it(self) -> None:
        found = self.of(host="api:6443", accept="text/html", x_request_id="7", cookie="a=b")
        assert found == {
            "Host": "api:6443",
            "Accept": "text/html",
            "X-Request-Id": "7",
            "Cookie": "a=b",
            "X-Forwarded-For": "192.0.2.1",
            "X-Forwarded-Uri": "/proxy/x",
        }

    def test_credentials_stay(self) -> None:
        found = self.of(authorization="Bearer x", impersonate_user="jane", impersonate_extra_a="b")
        assert set(found) == {"X-Forwarded-For", "X-Forwarded-Uri"}

    def test_what_is_for_one_hop_stays(self) -> None:
        found = self.of(
            connection="keep-alive, X-Mine",
            x_mine="1",
            keep_alive="5",
            te="trailers",
            trailer="x",
            transfer_encoding="chunked",
            upgrade="h2c",
            proxy_authorization="x",
            expect="100-continue",
        )
        assert set(found) == {"X-Forwarded-For", "X-Forwarded-Uri"}

    def test_the_way_gets_longer(self) -> None:
        assert self.of(x_forwarded_for="10.0.0.1", x_forwarded_uri="/lie")["X-Forwarded-For"] == "10.0.0.1, 192.0.2.1"
        assert self.of(x_forwarded_uri="/lie")["X-Forwarded-Uri"] == "/proxy/x"
        assert self.of(peer="", x_forwarded_for="10.0.0.1")["X-Forwarded-For"] == "10.0.0.1"

    def test_of_an_upgrade_the_ends_speak(self) -> None:
        given = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "k", "authorization": "x"}
        assert headers.of_upgrade(given, peer="192.0.2.1") == [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-Websocket-Key", "k"),
            ("X-Forwarded-For", "192.0.2.1"),
        ]


class TestAnswers:
    def test_repeated_ones_stay_repeated(self) -> None:
        given = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Server", "x")]
        assert headers.of_answer(given) == given

    def test_less_hops_other_sites_and_the_named(self) -> None:
        given = [
            ("Connection", "close, X-Hop"),
            ("X-Hop", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Access-Control-Allow-Origin", "*"),
            ("Content-Length", "5"),
            ("ETag", "x"),
        ]
        assert headers.of_answer(given, without=("content-length",)) == [("ETag", "x")]
