"""`ip("10.0.0.1")` and `cidr("10.0.0.0/8")`."""

from __future__ import annotations

import ipaddress
from typing import Any

from cel_expr_python import cel

from pybernetes.api.cel.libraries import opaque


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if "%" in text:
        raise ValueError(f"IP address {text!r} with zone value is not allowed")
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise ValueError(f"IPv4-mapped IPv6 address {text!r} is not allowed")
    return address


def _ip(text: str) -> Any:
    return opaque.make(opaque.IP, str(_address(text)))


def _is_canonical(text: str) -> bool:
    return str(_address(text)) == text


def _interface(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    host, slash, length = text.partition("/")
    if not slash or not length.isdigit() or (len(length) > 1 and length[0] == "0"):
        raise ValueError(f"network address parse error during conversion from string: {text!r}")
    _address(host)
    return ipaddress.ip_interface(text)


def _cidr(text: str) -> Any:
    return opaque.make(opaque.CIDR, str(_interface(text)))


def _contains_ip(cidr: Any, ip: Any) -> bool:
    network = ipaddress.ip_interface(cidr.text).network
    address = _address(ip if isinstance(ip, str) else ip.text)
    return address.version == network.version and address in network


def _contains_cidr(cidr: Any, other: Any) -> bool:
    outer = ipaddress.ip_interface(cidr.text).network
    inner = (_interface(other) if isinstance(other, str) else ipaddress.ip_interface(other.text)).network
    return outer.version == inner.version and outer.prefixlen <= inner.prefixlen and inner.network_address in outer


def _property(name: str) -> Any:
    return lambda value: bool(getattr(ipaddress.ip_address(value.text), name))


def _is_link_local_multicast(value: Any) -> bool:
    address = ipaddress.ip_address(value.text)
    # ff02::/16 and 224.0.0.0/24.
    return address.packed[:2] == b"\xff\x02" if address.version == 6 else address.packed[:3] == b"\xe0\x00\x00"


def _is_global_unicast(value: Any) -> bool:
    address = ipaddress.ip_address(value.text)
    special = address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    return not special and address != ipaddress.IPv4Address("255.255.255.255")


def _prefix_length(cidr: Any) -> int:
    return ipaddress.ip_interface(cidr.text).network.prefixlen


def calls() -> list[opaque.Call]:
    t, ip, cidr = cel.Type, opaque.type_of(opaque.IP), opaque.type_of(opaque.CIDR)
    interface = ipaddress.ip_interface
    return [
        opaque.Call("ip", "string_to_ip", ip, (t.STRING,), _ip, is_member=False),
        opaque.Call("isIP", "is_ip", t.BOOL, (t.STRING,), opaque.accepts(_ip), is_member=False),
        opaque.Call("ip.isCanonical", "ip_is_canonical", t.BOOL, (t.STRING,), _is_canonical, is_member=False),
        opaque.Call("family", "ip_family", t.INT, (ip,), lambda value: ipaddress.ip_address(value.text).version),
        opaque.Call("isUnspecified", "ip_is_unspecified", t.BOOL, (ip,), _property("is_unspecified")),
        opaque.Call("isLoopback", "ip_is_loopback", t.BOOL, (ip,), _property("is_loopback")),
        opaque.Call("isLinkLocalMulticast", "ip_is_link_local_multicast", t.BOOL, (ip,), _is_link_local_multicast),
        opaque.Call("isLinkLocalUnicast", "ip_is_link_local_unicast", t.BOOL, (ip,), _property("is_link_local")),
        opaque.Call("isGlobalUnicast", "ip_is_global_unicast", t.BOOL, (ip,), _is_global_unicast),
        opaque.Call("cidr", "string_to_cidr", cidr, (t.STRING,), _cidr, is_member=False),
        opaque.Call("isCIDR", "is_cidr", t.BOOL, (t.STRING,), opaque.accepts(_cidr), is_member=False),
        opaque.Call("containsIP", "cidr_contains_ip_string", t.BOOL, (cidr, t.STRING), _contains_ip),
        opaque.Call("containsIP", "cidr_contains_ip_ip", t.BOOL, (cidr, ip), _contains_ip),
        opaque.Call("containsCIDR", "cidr_contains_cidr_string", t.BOOL, (cidr, t.STRING), _contains_cidr),
        opaque.Call("containsCIDR", "cidr_contains_cidr", t.BOOL, (cidr, cidr), _contains_cidr),
        opaque.Call("ip", "cidr_ip", ip, (cidr,), lambda value: opaque.make(opaque.IP, str(interface(value.text).ip))),
        opaque.Call(
            "prefixLength", "cidr_prefix_length", t.INT, (cidr,), lambda v: interface(v.text).network.prefixlen
        ),
        opaque.Call(
            "masked", "cidr_masked", cidr, (cidr,), lambda v: opaque.make(opaque.CIDR, str(interface(v.text).network))
        ),
    ]
