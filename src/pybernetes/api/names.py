"""The grammars of names: each function answers with what is wrong, in upstream's words, and with `[]` for a good value.

Everything that is called something (objects, labels, ports, environment variables, keys of a ConfigMap) obeys one of
these few grammars; validation, admission and the endpoints all ask here, so that one mistake has one wording.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

Check = Callable[[str], list[str]]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_LABEL_UNDERSCORE = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_UNDERSCORE = _LABEL_UNDERSCORE + r"(\." + _LABEL_UNDERSCORE + ")*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_WILDCARD = r"\*\." + _SUBDOMAIN
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = "(" + _KEY + ")?"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_ENV = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_PERCENT = "[0-9]+%"
_HEADER = "[-A-Za-z0-9]+"
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"

_label_match = re.compile(_LABEL).fullmatch
_subdomain_match = re.compile(_SUBDOMAIN).fullmatch
_subdomain_caseless_match = re.compile(_SUBDOMAIN, re.IGNORECASE | re.ASCII).fullmatch
_subdomain_underscore_match = re.compile(_SUBDOMAIN_UNDERSCORE).fullmatch
_label_1035_match = re.compile(_LABEL_1035).fullmatch
_wildcard_match = re.compile(_WILDCARD).fullmatch
_key_match = re.compile(_KEY).fullmatch
_value_match = re.compile(_VALUE).fullmatch
_c_identifier_match = re.compile(_C_IDENTIFIER).fullmatch
_env_match = re.compile(_ENV).fullmatch
_config_key_match = re.compile(_CONFIG_KEY).fullmatch
_percent_match = re.compile(_PERCENT).fullmatch
_header_match = re.compile(_HEADER).fullmatch
_http_path_match = re.compile(_HTTP_PATH).fullmatch
_port_name_match = re.compile("[-a-z0-9]+").fullmatch

_KEY_WORDS = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)


def _regex_error(words: str, regex: str, *examples: str) -> str:
    if not examples:
        return f"{words} (regex used for validation is '{regex}')"
    listed = " or ".join(f"'{example}', " for example in examples)
    return f"{words} (e.g. {listed}regex used for validation is '{regex}')"


def _too_long(value: str, limit: int, unit: str = "bytes") -> list[str]:
    return [f"must be no more than {limit} {unit}"] if len(value.encode()) > limit else []


def dns_label(value: str) -> list[str]:
    """RFC 1123 label: `my-name`."""
    if len(value) <= 63 and _label_match(value):
        return []
    problems = _too_long(value, 63, "characters")
    if not _label_match(value):
        if _subdomain_match(value):
            problems.append("must not contain dots")
        else:
            words = (
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
                "and must start and end with an alphanumeric character"
            )
            problems.append(_regex_error(words, _LABEL, "my-name", "123-abc"))
    return problems


_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)


def dns_subdomain(value: str) -> list[str]:
    """RFC 1123 subdomain: `example.com`; what most objects may be called."""
    if len(value) <= 253 and _subdomain_match(value):
        return []
    problems = _too_long(value, 253, "characters")
    if not _subdomain_match(value):
        problems.append(_regex_error(_SUBDOMAIN_WORDS, _SUBDOMAIN, "example.com"))
    return problems


def dns_subdomain_caseless(value: str) -> list[str]:
    """As `dns_subdomain`, upper case allowed: the prefix of resource claims' keys."""
    problems = _too_long(value, 253, "characters")
    if not _subdomain_caseless_match(value):
        words = (
            "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', "
            "and must start and end with an alphanumeric character"
        )
        problems.append(_regex_error(words, _SUBDOMAIN, "Example.com"))
    return problems


def dns_subdomain_with_underscore(value: str) -> list[str]:
    """As `dns_subdomain`, with `_`: search domains in a pod's dnsConfig."""
    problems = _too_long(value, 253, "characters")
    if not _subdomain_underscore_match(value):
        words = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
            "and must start and end with an alphanumeric character"
        )
        problems.append(_regex_error(words, _SUBDOMAIN_UNDERSCORE, "example.com"))
    return problems


def dns1035_label(value: str) -> list[str]:
    """RFC 1035 label, which starts with a letter: a Service's name."""
    if len(value) <= 63 and _label_1035_match(value):
        return []
    problems = _too_long(value, 63, "characters")
    if not _label_1035_match(value):
        words = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
            "start with an alphabetic character, and end with an alphanumeric character"
        )
        problems.append(_regex_error(words, _LABEL_1035, "my-name", "abc-123"))
    return problems


def wildcard_dns_subdomain(value: str) -> list[str]:
    """`*.example.com`: the host of an Ingress rule."""
    problems = _too_long(value, 253, "characters")
    if not _wildcard_match(value):
        words = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
            "which must consist of lower case alphanumeric characters, '-' or '.' "
            "and end with an alphanumeric character"
        )
        problems.append(_regex_error(words, _WILDCARD, "*.example.com"))
    return problems


_LONGEST_QUALIFIED = 253 + len("/") + 63


# The same few keys stand on all objects.
@functools.lru_cache(maxsize=4096)
def _is_qualified(value: str) -> bool:
    prefix, slash, name = value.rpartition("/")
    fits = not slash or (len(prefix) <= 253 and _subdomain_match(prefix) is not None)
    return fits and len(name) <= 63 and _key_match(name) is not None


def qualified_name(value: str) -> list[str]:
    """`name` or `example.com/name`: keys of labels, annotations, finalizers, resources."""
    if len(value) <= _LONGEST_QUALIFIED and _is_qualified(value):
        return []
    parts = value.split("/")
    if len(parts) > 2:
        return [
            "a valid label key "
            + _regex_error(_KEY_WORDS, _KEY, "MyName", "my.name", "123-abc")
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    problems: list[str] = []
    name = parts[-1]
    if len(parts) == 2:
        if not parts[0]:
            problems.append("prefix part must be non-empty")
        else:
            problems += [f"prefix part {problem}" for problem in _too_long(parts[0], 253)]
            problems += [f"prefix part {problem}" for problem in dns_subdomain(parts[0][:253])]
    if not name:
        problems.append("name part must be non-empty")
    else:
        problems += [f"name part {problem}" for problem in _too_long(name, 63)]
    if not _key_match(name):
        problems.append("name part " + _regex_error(_KEY_WORDS, _KEY, "MyName", "my.name", "123-abc"))
    return problems


label_key = qualified_name


def label_value(value: str) -> list[str]:
    """The value of a label; the empty text is one."""
    if len(value) <= 63 and _value_match(value):
        return []
    problems = _too_long(value, 63)
    if not _value_match(value):
        words = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
            "and must start and end with an alphanumeric character"
        )
        problems.append(_regex_error(words, _VALUE, "MyValue", "my_value", "12345"))
    return problems


def port_name(value: str) -> list[str]:
    """IANA service name: a named container port, at most 15 characters."""
    problems = _too_long(value, 15, "characters")
    if not _port_name_match(value):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any("a" <= char <= "z" for char in value):
        problems.append("must contain at least one letter (a-z)")
    if "--" in value:
        problems.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def port_number(value: int) -> list[str]:
    """1 to 65535."""
    return in_range(value, 1, 65535)


def in_range(value: int, low: int, high: int) -> list[str]:
    """Both ends included."""
    return [] if low <= value <= high else [f"must be between {low} and {high}, inclusive"]


def user_id(value: int) -> list[str]:
    """A UID or GID that the kernel and the API accept."""
    return in_range(value, 0, 2**31 - 1)


def c_identifier(value: str) -> list[str]:
    """`my_name`."""
    if _c_identifier_match(value):
        return []
    words = (
        "a valid C identifier must start with alphabetic character or '_', "
        "followed by a string of alphanumeric characters or '_'"
    )
    return [_regex_error(words, _C_IDENTIFIER, "my_name", "MY_NAME", "MyName")]


def _parent_directory(value: str) -> list[str]:
    if value == ".":
        return ["must not be '.'"]
    if value == "..":
        return ["must not be '..'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def env_var_name(value: str) -> list[str]:
    """The strict form of an environment variable's name, which envFrom prefixes must keep to."""
    problems: list[str] = []
    if not _env_match(value):
        words = (
            "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
            "and must not start with a digit"
        )
        problems.append(_regex_error(words, _ENV, "my.env-name", "MY_ENV.NAME", "MyEnvName1"))
    return problems + _parent_directory(value)


def relaxed_env_var_name(value: str) -> list[str]:
    """Printable ASCII without `=`."""
    problems = [] if value else ["environment variable name must be non-empty"]
    if any(not " " <= char <= "~" or char == "=" for char in value):
        problems.append(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
        )
    return problems


def config_map_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret: also a file name."""
    if len(value) <= 253 and value[:1] != "." and _config_key_match(value):
        return []
    problems = _too_long(value, 253, "characters")
    if not _config_key_match(value):
        words = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        problems.append(_regex_error(words, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    return problems + _parent_directory(value)


def percent(value: str) -> list[str]:
    """`25%`."""
    if _percent_match(value):
        return []
    words = "a valid percent string must be a numeric string followed by an ending '%'"
    return [_regex_error(words, _PERCENT, "1%", "93%")]


def http_header_name(value: str) -> list[str]:
    """`X-Header-Name`."""
    if _header_match(value):
        return []
    words = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [_regex_error(words, _HEADER, "X-Header-Name")]


def http_path(value: str) -> list[str]:
    """The part of a domain-prefixed path after its domain."""
    return [] if _http_path_match(value) else [_regex_error("Invalid path", _HTTP_PATH)]


def path_segment(value: str) -> list[str]:
    """What can stand between two slashes of a URL: names of RBAC objects."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{bad}'" for bad in ("/", "%") if bad in value]


def prefix(check: Check) -> Check:
    """The same grammar for a `generateName`, which may end in a dash."""

    def check_prefix(value: str) -> list[str]:
        return check(value[:-2] + "a" if len(value) > 1 and value.endswith("-") else value)

    return check_prefix
