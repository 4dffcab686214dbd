from __future__ import annotations

import pytest

from pybernetes.api import names


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (names.dns_label, "my-name"),
        (names.dns_label, "1"),
        (names.dns_subdomain, "a.b-c.d"),
        (names.dns1035_label, "web"),
        (names.wildcard_dns_subdomain, "*.example.com"),
        (names.qualified_name, "app.kubernetes.io/name"),
        (names.qualified_name, "App_1"),
        (names.label_value, ""),
        (names.label_value, "v1.2_3"),
        (names.port_name, "http"),
        (names.c_identifier, "MY_NAME"),
        (names.env_var_name, "my.env-NAME"),
        (names.relaxed_env_var_name, "1 weird:name"),
        (names.config_map_key, ".dockerconfigjson"),
        (names.percent, "25%"),
        (names.http_header_name, "X-Header"),
        (names.path_segment, "system:node:x"),
        (names.prefix(names.dns_subdomain), "web-"),
    ],
)
def test_good(check: names.Check, good: str) -> None:
    assert check(good) == []


SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


@pytest.mark.parametrize(
    ("check", "bad", "problems"),
    [
        (names.dns_subdomain, "Web", [SUBDOMAIN]),
        (names.dns_subdomain, "web\n", [SUBDOMAIN]),
        (names.dns_label, "a.b", ["must not contain dots"]),
        (names.dns_label, "-a", [LABEL]),
        (names.dns_label, "a" * 64, ["must be no more than 63 characters"]),
        (names.port_name, "a" * 16, ["must be no more than 15 characters"]),
        (names.port_name, "-1", ["must contain at least one letter (a-z)", "must not begin or end with a hyphen"]),
        (names.path_segment, "..", ["may not be '..'"]),
        (names.path_segment, "a/b%", ["may not contain '/'", "may not contain '%'"]),
        (names.config_map_key, "..", ["must not be '..'"]),
        (names.config_map_key, "..a", ["must not start with '..'"]),
        (names.relaxed_env_var_name, "", ["environment variable name must be non-empty"]),
    ],
)
def test_bad(check: names.Check, bad: str, problems: list[str]) -> None:
    assert check(bad) == problems


def test_qualified_name_says_which_part_is_wrong() -> None:
    assert names.qualified_name("/a")[0] == "prefix part must be non-empty"
    assert names.qualified_name("a/")[0] == "name part must be non-empty"
    assert names.qualified_name("a/b/c")[0].startswith("a valid label key must consist of")
    assert names.qualified_name("x" * 64) == ["name part must be no more than 63 bytes"]


def test_ports_are_bounded() -> None:
    assert names.port_number(1) == names.port_number(65535) == []
    assert names.port_number(0) == ["must be between 1 and 65535, inclusive"]
