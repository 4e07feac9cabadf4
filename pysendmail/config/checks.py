"""What no key can know alone: settings that contradict each other, or hardly do what was meant.

A check takes the whole configuration and answers with the trouble, or with an empty text. The
trouble is told about the first key in the check's row of the table.
"""

from __future__ import annotations

from pysendmail.config.providers import PRESETS, provider_of
from pysendmail.config.smarthost_url import parse_smarthost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.config.keys import Config
    from pysendmail.config.smarthost_url import SmarthostAddress

PASSWORD_KEYS = ("password", "password_file", "password_command")
CREDENTIAL_KEYS = (*PASSWORD_KEYS, "token_file", "token_command")

# RFC 2606 section 3, RFC 6761 section 6.5: names of examples, that never lead anywhere
_EXAMPLE_DOMAINS = ("example", "example.com", "example.net", "example.org")


def _credentials(config: Config) -> str:
    given = _given(config)
    if len(given) > 1:
        return f"only one of {', '.join(given)} can be what we log in with"
    if given and given[0] in PASSWORD_KEYS and not config.user:
        return f"{given[0]} is set, but there is no user to log in as"
    if config.user and not given and not _known_otherwise(config):
        return f"a user needs a password or a token: set one of {', '.join(CREDENTIAL_KEYS)}"
    return ""


def _mechanisms(config: Config) -> str:
    if "EXTERNAL" in config.sasl_mechanisms and not config.tls_certificate_file:
        return "EXTERNAL is a login by tls_certificate_file, which is not set"
    if config.sasl_mechanisms and not _given(config) and not _known_otherwise(config):
        return f"there is nothing to log in with: set one of {', '.join(CREDENTIAL_KEYS)}"
    if "GSSAPI" not in config.sasl_mechanisms:
        return ""
    from importlib.util import find_spec

    if find_spec("gssapi"):
        return ""
    return (
        "GSSAPI needs the Python package gssapi, which is not installed: apt-get install "
        "python3-gssapi, or make install EXTRAS=gssapi"
    )


def _authzid(config: Config) -> str:
    if config.sasl_authzid and not _given(config) and not _known_otherwise(config):
        return "there is no login that could act as somebody else"
    return ""


def _given(config: Config) -> list[str]:
    """Return the keys by which there is a password or a token."""
    return [name for name in CREDENTIAL_KEYS if getattr(config, name)]


def _known_otherwise(config: Config) -> bool:
    """Tell whether a login can do without password and token."""
    if not config.sasl_mechanisms:
        return bool(config.tls_certificate_file)  # EXTERNAL is one of the usual mechanisms then
    from pysendmail.smtp.sasl import WITHOUT_CREDENTIALS  # loaded to read the key, if it is set

    return any(name.encode() in WITHOUT_CREDENTIALS for name in config.sasl_mechanisms)


def _encryption(config: Config) -> str:
    addresses = [parse_smarthost(url) for url in config.smarthost]
    if config.tls == "none" and any(address.scheme == "submissions" for address in addresses):
        return "none contradicts a smarthost with submissions://, which is TLS from the start"
    if config.tls == "required" and any(address.is_local for address in addresses):
        return "required contradicts a smarthost at a Unix socket, which has no TLS"
    if config.tls != "none" or not _given(config) or config.insecure_password:
        return ""
    if all(address.is_local for address in addresses):
        return ""
    return "none would show the password to whoever listens (insecure_password: true allows it)"


def _verification(config: Config) -> str:
    if config.tls_verify or config.tls_pins or not _given(config):
        return ""
    if config.insecure_password:
        return ""
    return "without verification no password is sent (insecure_password: true allows it)"


def _pins(config: Config) -> str:
    if config.tls_pins and config.tls not in ("", "required"):
        return f"pins want TLS, but tls is {config.tls}: who is in between could do without"
    return ""


def _authorities(config: Config) -> str:
    if config.ca_file_only and not config.ca_file:
        return "there is no ca_file whose authorities could be the only ones"
    return ""


def _own_certificate(config: Config) -> str:
    if config.tls_certificate_file and config.tls == "none":
        return "there is nobody to show it to: tls is none"
    return ""


def _own_key(config: Config) -> str:
    if config.tls_key_file and not config.tls_certificate_file:
        return "there is no tls_certificate_file that it could be the key of"
    return ""


def _proxy(config: Config) -> str:
    if not config.proxy:
        return ""
    from pysendmail.smtp.errors import UsageError
    from pysendmail.smtp.transport.proxy import require_package

    try:
        require_package()
    except UsageError as error:
        return f"{error}, or make install EXTRAS=proxy"
    return ""


def _retry(config: Config) -> str:
    if config.retry_first > config.retry_longest:
        return "longer than retry_longest"
    return ""


def _listen(config: Config) -> str:
    if not config.listen:
        return ""
    from pysendmail.config.endpoints import is_wildcard, parse_endpoint, serves

    for endpoint in config.listen:
        address, _port = parse_endpoint(endpoint)
        if is_wildcard(address) and config.listen_for == "loopback":
            return f"{endpoint} is for others than this machine: listen_for says who may come"
        if not is_wildcard(address) and not serves(config.listen_for, address):
            return f"{endpoint} is no address that is {config.listen_for} (listen_for)"
    return ""


def _listen_login(config: Config) -> str:
    if config.listen_user and not config.listen_password_file:
        return "a user needs a password: set listen_password_file"
    if config.listen_password_file and not config.listen_user:
        return "listen_password_file is set, but there is no user whose password it is"
    if config.listen_for == "anyone" and not config.listen_user:
        return "not set: who listens for anyone must know whose mail he takes"
    return ""


# the keys a check looks at: it is left out when one of them is already known to be wrong
CHECKS: tuple[tuple[tuple[str, ...], Callable[[Config], str]], ...] = (
    (("user", *CREDENTIAL_KEYS, "sasl_mechanisms", "tls_certificate_file"), _credentials),
    (("sasl_mechanisms", *CREDENTIAL_KEYS, "tls_certificate_file"), _mechanisms),
    (("sasl_authzid", *CREDENTIAL_KEYS, "sasl_mechanisms", "tls_certificate_file"), _authzid),
    (("tls", *CREDENTIAL_KEYS, "insecure_password", "smarthost"), _encryption),
    (("tls_verify", "tls_pins", *CREDENTIAL_KEYS, "insecure_password"), _verification),
    (("tls_pins", "tls"), _pins),
    (("ca_file_only", "ca_file"), _authorities),
    (("tls_certificate_file", "tls"), _own_certificate),
    (("tls_key_file", "tls_certificate_file"), _own_key),
    (("proxy",), _proxy),
    (("retry_first", "retry_longest"), _retry),
    (("listen", "listen_for"), _listen),
    (("listen_user", "listen_password_file", "listen_for"), _listen_login),
)


def find_contradictions(config: Config, wrong: frozenset[str]) -> list[tuple[str, str]]:
    """Return pairs of a key's name and its trouble; checks on `wrong` keys are left out."""
    return [
        (names[0], trouble)
        for names, check in CHECKS
        if not wrong.intersection(names) and (trouble := check(config))
    ]


def find_doubts(config: Config) -> list[tuple[str, str]]:
    """Return pairs of a key's name and what is allowed there but hardly meant."""
    doubts = []
    if not config.smarthost:
        doubts.append(("smarthost", "not set: mail waits in the spool until it is"))
    for address in map(parse_smarthost, config.smarthost):
        if _is_example(address):
            doubts.append(("smarthost", f"{address} is the name of an example"))
    if b"." not in config.origin and not config.origin.startswith(b"["):
        origin = config.origin.decode()
        doubts.append(("origin", f"bare names become NAME@{origin}, which means nothing elsewhere"))
    if config.listen and config.listen_for != "loopback" and not config.listen_user:
        doubts.append(("listen_for", "whoever has a private address can send mail in our name"))
    doubts += _senders(config)
    if config.insecure_password:
        doubts.append(("insecure_password", "the password may travel where others can read it"))
    return doubts


def _senders(config: Config) -> list[tuple[str, str]]:
    """Return doubts whether the smarthost will take the senders."""
    preset = PRESETS.get(config.provider)
    if preset and preset.account and not (config.sender and config.from_):
        return [("provider", "the user is no address: set sender and from to the mailbox's")]
    if preset or config.rewrite or (config.sender and config.from_):
        return []
    known = filter(None, (provider_of(parse_smarthost(url).host) for url in config.smarthost))
    return [
        ("smarthost", f"provider: {name} would make it take the mail of cron and PHP")
        for name in dict.fromkeys(known)
    ]


def _is_example(address: SmarthostAddress) -> bool:
    return any(
        address.host == domain or address.host.endswith(f".{domain}") for domain in _EXAMPLE_DOMAINS
    )
