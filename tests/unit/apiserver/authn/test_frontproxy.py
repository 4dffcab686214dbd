"""What the headers of a server in front come to."""

from __future__ import annotations

from pybernetes.apiserver.authn import frontproxy

SETTINGS = frontproxy.Settings(ca=b"", names=("X-Remote-User", "X-User"), uids=("X-Remote-Uid",))
PROXY = frontproxy.FrontProxy(SETTINGS)


def test_a_user() -> None:
    headers = {
        "x-remote-user": "jane\nother",
        "x-remote-uid": "u",
        "x-remote-group": "dev\n\nops",
        "x-remote-extra-example.com%2fmail": "a\nb",
        "x-other": "x",
    }
    assert PROXY.user(headers) == (
        "jane",
        "u",
        ("dev", "ops", "system:authenticated"),
        (("example.com/mail", ("a", "b")),),
    )


def test_the_first_header_that_says_something() -> None:
    found = PROXY.user({"x-remote-user": "", "x-user": "jane", "x-remote-group": "system:unauthenticated"})
    assert found is not None
    assert (found.name, found.groups) == ("jane", ("system:unauthenticated",))


def test_nobody() -> None:
    assert PROXY.user({"x-remote-group": "system:masters"}) is None
    assert "x-remote-group" in SETTINGS.repeated


def test_what_it_says_is_passed_on_to_nobody() -> None:
    headers = {"x-user": "jane", "x-remote-user": "jane", "accept": "*/*"}
    PROXY.clear(headers)
    # Those that are usual are left out where requests are passed on.
    assert sorted(headers) == ["accept", "x-remote-user"]
