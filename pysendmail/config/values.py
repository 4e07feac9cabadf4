"""Texts of a configuration into values: one parser for each kind of key.

A parser takes the text as written (`str`, undecodable octets as surrogate escapes, as
`os.environ` has them) and returns the value, or raises ValueError. The error's text is a hint
for this very mistake, or empty when the key's general expectation says enough. All are pure and
linear in time. What others know how to read (the SMTP core mechanisms, pins and proxies, `message`
an address) is read by them; they are loaded only then.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias, TypeVar

    T = TypeVar("T")
    Value: TypeAlias = bytes | str | float | int | bool | tuple[str, ...]

# sun_path of sockaddr_un has 108 octets with the final NUL (unix(7))
SOCKET_PATH_OCTETS = 107
# RFC 1035 section 2.3.4
HOST_OCTETS = 255
LABEL_OCTETS = 63

_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_LITERAL_CHARACTERS = frozenset("0123456789abcdefABCDEFIPv:.")
# blanks are refused beside these
_ADDRESS_SPECIALS = frozenset('<>(),;"\\')

# from the longest to the shortest: 1h30m is a duration, 30m1h is a slip
_SECONDS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}

# MB is decimal, MiB binary, as the letters say; a lone M is what mail servers mean by it: binary
_OCTETS = {
    "": 1, "b": 1,
    "k": 1024, "kib": 1024, "kb": 1000,
    "m": 1024**2, "mib": 1024**2, "mb": 1000**2,
    "g": 1024**3, "gib": 1024**3, "gb": 1000**3,
}  # fmt: skip

_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def parse_duration(text: str) -> float:
    """Return the seconds of `90s`, `5m`, `1h30m`, `2d`, `1w`, or of a bare number."""
    text = text.strip().lower()
    if _is_number(text):
        return float(text)
    seconds, number, longer = 0.0, "", float("inf")
    for character in text:
        if character not in _SECONDS:
            number += character
            continue
        unit = _SECONDS[character]
        if not _is_number(number) or unit >= longer:
            raise ValueError
        seconds, number, longer = seconds + float(number) * unit, "", unit
    if number or not text:
        raise ValueError
    return seconds


def parse_size(text: str) -> int:
    """Return the octets of `50MiB`, `25MB`, `512k`, or of a bare number."""
    text = text.strip()
    number = text.rstrip("bBiIkKmMgG ")
    unit = text[len(number) :].strip().lower()
    if not _is_number(number) or unit not in _OCTETS:
        raise ValueError
    if "." in number:
        # bounded before int(): float() of a long row of digits is infinite
        return int(min(float(number) * _OCTETS[unit], 2.0**63))
    return int(number) * _OCTETS[unit]


def parse_count(text: str) -> int:
    """Return a whole number, not negative."""
    text = text.strip()
    if not _is_number(text) or "." in text:
        raise ValueError
    return int(text)


def parse_boolean(text: str) -> bool:
    """Return True for `true`, `yes`, `on`; False for `false`, `no`, `off`."""
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise ValueError from None


def parse_choice(text: str) -> str:
    """Return the word; the key compares it with its choices."""
    return text.strip()


def parse_choices(text: str) -> tuple[str, ...]:
    """Return the words of a comma-separated list, in capitals as SMTP's keywords are."""
    return tuple(word.strip().upper() for word in text.split(","))


def parse_text(text: str) -> bytes:
    """Return one printable line, outer blanks taken off."""
    return _line(text.strip())


def parse_password(text: str) -> bytes:
    """Return a secret as it is, blanks and all; no control characters (RFC 4616 section 2: NUL)."""
    return _line(text)


def parse_host(text: str) -> bytes:
    """Return a domain name, or an address literal in brackets (RFC 5321 section 4.1.3)."""
    text = text.strip()
    if text.startswith("["):
        literal = text[1:-1]
        if not literal or text != f"[{literal}]" or not _LITERAL_CHARACTERS.issuperset(literal):
            raise ValueError
        return text.encode()
    if not text.isascii():
        raise ValueError("write an international domain in its xn-- form")
    if len(text) > HOST_OCTETS or not all(map(_is_label, text.split("."))):
        raise ValueError
    return text.encode()


def parse_address(text: str) -> bytes:
    """Return one address, bare (`alice`) or full (`alice@example.com`), without a name."""
    from pysendmail.message.address import AddressError, parse_mailbox

    text = text.strip()
    if any(character <= " " for character in text):
        raise ValueError
    if _ADDRESS_SPECIALS.intersection(text):
        raise ValueError("one address alone, without a name and without < >")
    try:
        mailbox = parse_mailbox(octets := _octets(text))
    except AddressError:
        raise ValueError from None
    if (mailbox.start, mailbox.end) != (0, len(octets)):  # there is a group around it
        raise ValueError
    return mailbox.address


def parse_fallback(text: str) -> bytes:
    """Return `forward` or `reject`, which are bare addresses to look at, or one address."""
    word = text.strip().lower()
    return word.encode() if word in ("forward", "reject") else parse_address(text)


def parse_domains(text: str) -> tuple[str, ...]:
    """Return the domain names of a comma-separated list, each of them checked."""
    return tuple(parse_host(name).decode() for name in text.split(","))


def parse_identities(text: str) -> tuple[str, ...]:
    """Return the `NAME: ADDRESS` of a comma-separated list, each of them checked.

    A name is a login name, a uid, an address, or a domain with `@` before it.
    """
    entries: dict[str, str] = {}
    for entry in text.split(","):
        name, colon, address = (part.strip() for part in entry.partition(":"))
        if not colon:
            raise ValueError(f"a colon is missing in {entry.strip()!r}")
        if name in entries:
            raise ValueError(f"{name!r} is there twice")
        if name.startswith("@"):
            parse_host(name[1:])
        else:
            parse_address(name)
        parse_address(address)
        entries[name] = address
    return tuple(f"{name}: {address}" for name, address in entries.items())


def parse_path(text: str) -> str:
    """Return an absolute path."""
    path = parse_credential(text)
    if not path.startswith("/"):
        raise ValueError("the path must be absolute")
    return path


def parse_socket_path(text: str) -> str:
    """Return an absolute path short enough for an AF_UNIX address."""
    path = parse_path(text)
    if len(_octets(path)) > SOCKET_PATH_OCTETS:
        raise ValueError(f"a socket's path has at most {SOCKET_PATH_OCTETS} octets")
    return path


def parse_credential(text: str) -> str:
    """Return a path, or the name of a systemd credential (a relative path)."""
    path = text.strip()
    _line(path)
    return path


def parse_command(text: str) -> str:
    """Return a command line; config/secrets.py splits it into words."""
    return parse_credential(text)


def parse_smarthosts(text: str) -> tuple[str, ...]:
    """Return the URLs of a comma-separated list, each of them checked."""
    from pysendmail.config.smarthost_url import parse_smarthost  # the shim's fast path has none

    urls = tuple(url.strip() for url in text.split(","))
    for url in urls:
        parse_smarthost(url)
    return urls


def parse_mechanisms(text: str) -> tuple[str, ...]:
    """Return the names of SASL mechanisms of a comma-separated list, each of them known."""
    from pysendmail.smtp.sasl import MECHANISMS

    names = parse_choices(text)
    for name in names:
        if name.encode() not in MECHANISMS:
            raise ValueError(f"{name} is none of {b', '.join(MECHANISMS).decode()}")
    return names


def parse_pins(text: str) -> tuple[str, ...]:
    """Return the pins of a comma-separated list, in the one spelling of each."""
    from pysendmail.smtp.transport.pin import parse_pin

    return _taken_by_smtp(lambda: tuple(parse_pin(pin.strip()) for pin in text.split(",")))


def parse_proxy_url(text: str) -> str:
    """Return the URL of a proxy; an error does not repeat it, for it may hold a password."""
    from pysendmail.smtp.transport.proxy import parse_proxy

    _taken_by_smtp(lambda: parse_proxy(text.strip()))
    return text.strip()


def parse_ip(text: str) -> str:
    """Return an IP address."""
    from ipaddress import ip_address

    return str(ip_address(text.strip()))


def parse_endpoints(text: str) -> tuple[str, ...]:
    """Return the `address:port` of a comma-separated list, each of them checked."""
    from pysendmail.config.endpoints import parse_endpoint  # draws in ipaddress

    endpoints = tuple(endpoint.strip() for endpoint in text.split(","))
    for endpoint in endpoints:
        parse_endpoint(endpoint)
    return endpoints


PARSERS: dict[str, Callable[[str], Value]] = {
    "duration": parse_duration,
    "size": parse_size,
    "count": parse_count,
    "boolean": parse_boolean,
    "choice": parse_choice,
    "choices": parse_choices,
    "text": parse_text,
    "password": parse_password,
    "host": parse_host,
    "domains": parse_domains,
    "address": parse_address,
    "fallback": parse_fallback,
    "path": parse_path,
    "socket": parse_socket_path,
    "credential": parse_credential,
    "command": parse_command,
    "identities": parse_identities,
    "smarthosts": parse_smarthosts,
    "mechanisms": parse_mechanisms,
    "pins": parse_pins,
    "proxy": parse_proxy_url,
    "ip": parse_ip,
    "endpoints": parse_endpoints,
}


def format_duration(seconds: float) -> str:
    """Return the seconds as a person writes them: `1h30m`."""
    text = ""
    for unit in "dhm":
        count, seconds = divmod(seconds, _SECONDS[unit])
        if count:
            text += f"{count:.0f}{unit}"
    return f"{text}{seconds:g}s" if seconds or not text else text


def format_size(octets: int) -> str:
    """Return the octets in the largest binary unit that divides them."""
    for unit, length in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if octets >= length and octets % length == 0:
            return f"{octets // length}{unit}"
    return str(octets)


def _taken_by_smtp(parse: Callable[[], T]) -> T:
    """Return what a parser of the SMTP core returns, its complaint being a ValueError here."""
    from pysendmail.smtp.errors import UsageError

    try:
        return parse()
    except UsageError as error:
        raise ValueError(str(error)) from None


def _is_number(text: str) -> bool:
    return text.isascii() and len(text) <= 20 and text.replace(".", "", 1).isdigit()


def _is_label(label: str) -> bool:
    return (
        0 < len(label) <= LABEL_OCTETS
        and _HOST_CHARACTERS.issuperset(label)
        and label[0] != "-" != label[-1]
    )


def _line(text: str) -> bytes:
    if not text or any(character < " " or character == "\x7f" for character in text):
        raise ValueError
    return _octets(text)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
