"""The configuration: its file, the environment, and the text of one key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

# These are loaded when they are needed: here, so that the fuzzer sees into them.
from pysendmail.config import endpoints, file, providers, smarthost_url  # noqa: F401
from pysendmail.config.defaults import CONFIG_VARIABLE
from pysendmail.config.errors import ConfigError
from pysendmail.config.keys import KEYS, Config
from pysendmail.config.load import Loaded, load
from pysendmail.config.snapshot import PUBLIC_DEFAULTS, public_settings
from pysendmail.message.aliases import Aliases
from pysendmail.message.content import Content
from pysendmail.message.slices import Octets
from pysendmail.smtp.arguments import check_address, is_host
from pysendmail.smtp.transport import pin, proxy  # noqa: F401
from pysendmail.submission.accept import accept
from pysendmail.submission.exit_status import Refused
from pysendmail.submission.request import Request
from pysendmail.submission.submitter import Submitter
from tests.fuzz.targets.target import Target

SECRET = "never-to-be-shown"  # stands in the seeds where a password does
HIDDEN = SECRET.encode()

# --- the file


def configuration(octets: bytes) -> None:
    """Any text is a configuration that can be gone by, or mistakes, each with its line.

    What sendmail reads of it alone is what the daemon reads. A password is not shown.
    """
    fd = os.memfd_create("configuration")
    try:
        os.fchmod(fd, 0o600)
        os.write(fd, octets)
        path = f"/proc/self/fd/{fd}"
        lines = [line for line in octets.split(b"\n") if HIDDEN in line]
        hidden = all(line.startswith((b"password: ", b"proxy: ")) for line in lines)
        loaded = usable({}, path, hidden=hidden)
        try:
            public = public_settings({CONFIG_VARIABLE: path})
        except ConfigError as error:
            check_lines(error.errors, hidden=hidden)
            assert loaded is None
        else:
            assert loaded is None or all(
                public[name] == getattr(loaded.config, name)  # type: ignore[literal-required]
                for name in PUBLIC_DEFAULTS
                if name != "hostname"
            )
    finally:
        os.close(fd)


def usable(environ: Mapping[str, str], path: str, *, hidden: bool) -> Loaded | None:
    """Return what was configured, None where it was refused as it should be.

    `hidden`: the secret stands only where one belongs.
    """
    try:
        loaded = load(environ, path, file=bool(path))
    except ConfigError as error:
        check_lines(error.errors, hidden=hidden)
        assert str(error) == "\n".join(error.errors)
        place = rf"({path}:[0-9]+|default|PYSENDMAIL_|provider )" if path else ""
        assert error.errors
        assert all(re.match(place, line) for line in error.errors)
        return None
    config = loaded.config
    check_lines([*loaded.warnings, repr(config), repr(list(loaded.changes()))], hidden=hidden)
    assert config.origin
    assert is_host(config.hostname)
    check_use(config)
    return loaded


def check_lines(lines: Iterable[str], *, hidden: bool) -> None:
    """Each is one line for people, and no secret is in it."""
    for line in lines:
        assert line.isprintable()
        assert not (hidden and SECRET in line)


def check_use(config: Config) -> None:
    """What was accepted of the administrator works for every message."""
    request = Request(queue_id="0123456789ABCD", operands=(b"root, nobody, a@x, www-data",))
    try:
        accepted = accept(
            request,
            Octets(b"From: www-data\r\n\r\ntext\r\n"),
            Submitter(33, b"www-data", b"Web"),
            config=config,
            aliases=Aliases(),
            now=1_700_000_000.0,
            content=Content,
            limit=None,
        )
    except Refused:
        return
    named = [accepted.envelope.sender, *(one.address for one in accepted.envelope.recipients)]
    assert all(check_address(address, utf8=True) == address for address in named)


# --- the environment


def environment(octets: bytes) -> None:
    """Any variables are a configuration that can be gone by, or mistakes, each with its name."""
    environ = {}
    for variable in filter(None, octets.split(b"\0")):
        name, _, value = os.fsdecode(variable).partition("=")
        if not name.endswith(("_FILE", "DIRECTORY")):
            environ[name] = value
    secrets = [name for name, value in environ.items() if SECRET in name + value]
    hidden = {"PYSENDMAIL_PASSWORD", "PYSENDMAIL_PROXY"}.issuperset(secrets)
    loaded = usable(environ, "", hidden=hidden)
    try:
        public = public_settings(environ, file=False)
    except ConfigError as error:
        check_lines(error.errors, hidden=hidden)
        assert loaded is None
        return
    assert loaded is None or public["wait"] == loaded.config.wait


# --- one key


def setting(octets: bytes) -> None:
    """Any text has a value within the bounds of its key, or one line says what was expected.

    A value that is shown would be read as the same. The first octet chooses the key.
    """
    key = KEYS[octets[0] % len(KEYS)] if octets else KEYS[0]
    text = os.fsdecode(octets[1:])
    try:
        value = key.parse(text)
    except ValueError as error:
        assert key.expected in str(error)
        assert not (key.secret and SECRET in str(error))
        return
    assert type(value) is key.type
    config = Config(**{key.attribute: value})
    shown = key.show(value)
    assert not (key.secret and SECRET in repr(config) + shown)
    if key.secret or key.type is float or (isinstance(value, bytes) and not is_text(value)):
        return
    assert key.parse(shown) == value


def is_text(value: bytes) -> bool:
    try:
        return bool(value.decode()) and b"\\" not in value
    except UnicodeDecodeError:
        return False


TARGETS = (configuration, environment, setting)


def seeds() -> dict[Target, list[bytes]]:
    """Return inputs to begin with."""
    texts = [
        (key.name, text.encode())
        for key in KEYS
        for text in (SECRET if key.secret else "", key.example, key.default, *key.choices)
        if text and not (key.secret and text == key.example)
    ]
    texts += [
        ("proxy", b"socks5://user:" + HIDDEN + b"@proxy.example.com:1080"),
        ("identities", b"www-data: web@example.com, @x.y: a@b, 33: c"),
        ("smarthost", b"submissions://[2001:db8::1]:465, lmtp:///run/lmtp"),
        ("listen", b"127.0.0.1:25, [::1]:25"), ("wait", b"1h30m"), ("reserve", b"1.5GB"),
    ]  # fmt: skip
    numbers = {key.name: number for number, key in enumerate(KEYS)}
    files = (
        b"# all\nsmarthost: submission://smtp.example.com\nuser: mailer@example.com\npassword: "
        + HIDDEN + b"\nwait: 90s\n",
        b"smarthost:\n  - smtp://a.example\n  - 'lmtp:///run/x'\nroot: admin@example.com\n"
        b"identities:\n  www-data: web@example.com\n  '@x': y@z\nlinger: no\n",
        b"password: '" + HIDDEN + b"\nuser: \"a\\u00fc\"\nwait: 1:30\nwait: |\n  5s\n",
        b"provider: gmail\nuser: a@gmail.com\npassword: " + HIDDEN + b"\nsmarthost: smtp://x",
        b"proxy: socks5://u:" + HIDDEN + b"@h:99999\nrewrite: foreign\nsender: m\nfrom: m@x\n",
        b"a: &x b\nc: *x\n? d\n: !!str e\n{f: [g, {h: i}]}: null\n",
        b"wait: ~\nlisten: []\n--- x\n",
        b"listen: '0.0.0.0:25'\nlisten_for: anyone\nlocal_domains: a.b, c\nunknown_local: reject\n",
    )  # fmt: skip
    variables = (
        [b"PYSENDMAIL_SMARTHOST=smtp://x.example", b"PYSENDMAIL_PASSWORD=" + HIDDEN,
         b"PYSENDMAIL_USER=a"],
        [b"PYSENDMAIL_WAIT=x\ny", b"PYSENDMAIL_WAIIT=1", b"PYSENDMAIL_PORT=tcp://1:2",
         b"\xff=\xff"],
        [b"PYSENDMAIL_PROXY=http://u:" + HIDDEN + b"@[h", b"PYSENDMAIL_ROOT=a@b",
         b"PYSENDMAIL_ORIGIN=example.com"],
        *([b"PYSENDMAIL_%b=%b" % (name.upper().encode(), text)] for name, text in texts),
    )  # fmt: skip
    return {
        configuration: list(files),
        environment: [b"\0".join(one) for one in variables],
        setting: [bytes([numbers[name]]) + text for name, text in texts],
    }
