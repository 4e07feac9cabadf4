"""Where the SMTP listener listens, and whom it serves: addresses, and how far they reach.

Loopback is this machine; private are the networks that lead nowhere else (RFC 1918, unique local
addresses of RFC 4193, link-local of RFC 3927 and RFC 4291); all others are public, and so is the
wildcard: not by what it is but by whom it lets in, which the listener looks at for itself.
"""

from __future__ import annotations

import ipaddress

LOOPBACK, PRIVATE, PUBLIC = "loopback", "private", "public"

_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip


def parse_endpoint(text: str) -> tuple[str, int]:
    """Return address and port of `127.0.0.1:25` or `[::1]:25`; raises ValueError."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        address: object = ipaddress.IPv6Address(host[1:-1])
    else:
        address = ipaddress.IPv4Address(host)
    if not (colon and port.isascii() and port.isdigit() and len(port) <= 5):
        raise ValueError(f"{text!r} has no port")
    if int(port) > 65535:
        raise ValueError(f"there is no port {port}")
    return str(address), int(port)


def scope_of(address: str) -> str:
    """Return how far an address reaches; raises ValueError when it is none.

    An IPv4 address that a dual-stack socket shows in IPv6 is what it is in IPv4.
    """
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    found = mapped or found
    if found.is_loopback:
        return LOOPBACK
    return PRIVATE if any(found in network for network in _PRIVATE) else PUBLIC


def is_wildcard(address: str) -> bool:
    """Tell whether this stands for all addresses of the machine."""
    return ipaddress.ip_address(address).is_unspecified


def serves(audience: str, address: str) -> bool:
    """Tell whether somebody at this address is of those whom `listen_for` names."""
    scope = scope_of(address)
    return audience == "anyone" or scope == LOOPBACK or (scope, audience) == (PRIVATE, "private")
