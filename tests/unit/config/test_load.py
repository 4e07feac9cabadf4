"""File, environment and defaults into one configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pysendmail.config.checks import find_doubts
from pysendmail.config.errors import ConfigError, UnreadableConfigError
from pysendmail.config.keys import KEYS, Config
from pysendmail.config.load import load
from pysendmail.config.snapshot import snapshot_path
from pysendmail.config.snapshot_writer import write_snapshot

from .conftest import GOOD_YAML

if TYPE_CHECKING:
    from collections.abc import Callable


def errors_of(environ: dict[str, str], path: str | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(environ, path)
    assert str(caught.value) == "\n".join(caught.value.errors)
    return caught.value.errors


def test_environment_wins_over_file_and_file_over_defaults(yaml_file: Callable[..., str]) -> None:
    path = yaml_file(GOOD_YAML + "wait: 7s\nsocket: /run/s\n")
    loaded = load({"PYSENDMAIL_WAIT": "9s"}, path)
    config = loaded.config
    assert (config.wait, config.socket, config.aliases) == (9.0, "/run/s", "/etc/aliases")
    assert loaded.path == path
    assert loaded.sources["wait"] == "PYSENDMAIL_WAIT"
    assert loaded.sources["socket"] == f"{path}:7"
    assert loaded.sources["aliases"] == "default"
    assert set(loaded.sources) == {key.name for key in KEYS}


def test_path_is_the_argument_then_the_variable(yaml_file: Callable[..., str]) -> None:
    path = yaml_file("origin: here.test\n")
    assert load({"PYSENDMAIL_CONFIG": path}).config.origin == b"here.test"
    assert load({"PYSENDMAIL_CONFIG": "/none"}, path).config.origin == b"here.test"


def test_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    path = str(tmp_path / "none.yaml")
    line = f"{path}: No such file or directory"
    assert errors_of({}, path) == [line]
    assert errors_of({"PYSENDMAIL_CONFIG": path}) == [line]


def test_default_file_may_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pysendmail.config.load.CONFIG_PATH", str(tmp_path / "none.yaml"))
    loaded = load({"PYSENDMAIL_SMARTHOST": "smtp://relay.test", "PYSENDMAIL_ORIGIN": "a.test"})
    assert loaded.config.smarthost == ("smtp://relay.test",)
    assert loaded.file is None
    assert loaded.warnings == []


def test_mistakes_of_file_and_environment_are_told_together(
    yaml_file: Callable[..., str],
) -> None:
    path = yaml_file("wait: x\nusr: me\n")
    lines = errors_of({"PYSENDMAIL_TLS": "maybe", "PYSENDMAIL_X": "1"}, path)
    assert [line.partition(": ")[0] for line in lines] == [
        f"{path}:1:7", f"{path}:2:1", "PYSENDMAIL_TLS", "PYSENDMAIL_X",
    ]  # fmt: skip


def test_hostname_and_origin_are_filled_in(yaml_file: Callable[..., str]) -> None:
    config = load({}, yaml_file("hostname: h.test\n")).config
    assert (config.hostname, config.origin) == (b"h.test", b"h.test")
    config = load({}, yaml_file("origin: o.test\n")).config
    assert b"." in config.hostname  # the system's name, completed with the origin where bare
    assert config.origin == b"o.test"


def test_user_and_password_of_a_proxy_are_a_secret_and_the_rest_is_not(
    yaml_file: Callable[..., str],
) -> None:
    text = "proxy: socks5://me:hunter2@proxy.test:1080\n"
    (line,) = errors_of({}, path := yaml_file(text, mode=0o644))
    assert line == f"{path}:1: key 'proxy': everyone can read this file: chmod 640 it"
    loaded = load({}, yaml_file(text, mode=0o640))
    assert loaded.config.proxy == "socks5://me:hunter2@proxy.test:1080"
    assert [text for _, text, _ in loaded.changes()] == ["socks5://proxy.test:1080"]
    assert "hunter2" not in repr(loaded.config)
    load({}, yaml_file("proxy: http://proxy.test:3128\n", mode=0o644))


@pytest.mark.parametrize(
    ("module", "text", "trouble"),
    [
        ("python_socks", "proxy: socks5://p.test:1080\n", "needs the Python package python-socks"),
        ("gssapi", "sasl_mechanisms: GSSAPI\n", "GSSAPI needs the Python package gssapi"),
    ],
)
def test_package_that_is_missing_is_named_at_load(
    yaml_file: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    text: str,
    trouble: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (line,) = errors_of({}, path := yaml_file(text))
    assert line.startswith(f"{path}:1: key ")
    assert trouble in line


@pytest.mark.parametrize(
    ("hostname", "origin"),
    [("h", "'[192.0.2.1]'"), ("'[::1]'", "o.test"), ("h" * 60, ".".join(["o" * 49] * 5))],
    ids=["origin is a literal", "hostname is a literal", "together too long"],
)
def test_hostname_that_has_no_domain_is_left_as_it_is(
    yaml_file: Callable[..., str], hostname: str, origin: str
) -> None:
    config = load({}, yaml_file(f"hostname: {hostname}\norigin: {origin}\n")).config
    assert config.hostname.decode() == hostname.strip("'")


def test_bare_sender_and_from_are_completed_and_root_is_not(
    yaml_file: Callable[..., str],
) -> None:
    config = load({}, yaml_file("origin: o.test\nsender: s\nfrom: f@x.test\nroot: r\n")).config
    assert (config.sender, config.from_, config.root) == (b"s@o.test", b"f@x.test", b"r")
    assert load({}, yaml_file("origin: o.test\n")).config.sender == b""


def test_password_of_the_environment_replaces_that_of_the_file(
    yaml_file: Callable[..., str], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    path = yaml_file("user: me\npassword_file: /x\n")
    loaded = load({"PYSENDMAIL_PASSWORD_FILE": str(secret)}, path)
    assert (loaded.config.password, loaded.config.password_file) == (b"hunter2", "")
    assert loaded.sources["password_file"] == "default"
    loaded = load({"PYSENDMAIL_PASSWORD_COMMAND": "pass x"}, path)
    assert (loaded.config.password_command, loaded.config.password_file) == ("pass x", "")


def test_inline_password_in_a_file_that_everyone_reads_is_refused(
    yaml_file: Callable[..., str],
) -> None:
    text = "user: me\npassword: hunter2\n"
    (line,) = errors_of({}, path := yaml_file(text, mode=0o644))
    assert line == f"{path}:2: key 'password': everyone can read this file: chmod 640 it"
    loaded = load({}, yaml_file(text, mode=0o640))
    assert loaded.config.password == b"hunter2"
    assert "hunter2" not in repr(list(loaded.changes())) + repr(loaded.config)


USER = "user: me\npassword_file: /p\n"
PIN = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (
            "user: me\npassword_file: /p\npassword_command: p\n",
            "1: key 'user': only one of password_file, password_command can be",
        ),
        ("password_file: /p\n", "key 'user': password_file is set, but there is no user"),
        ("user: me\n", "1: key 'user': a user needs a password"),
        (
            "tls: none\nsmarthost: [smtp://a.test, submissions://b.test]\n",
            "1: key 'tls': none contradicts",
        ),
        (USER + "tls: none\nsmarthost: smtp://a.test\n", "3: key 'tls': none would"),
        ("tls: required\nsmarthost: lmtp:///run/s\n", "1: key 'tls': required contradicts"),
        (
            "token_file: /t\ntls: none\nsmarthost: [lmtp:///s, lmtp://b.test]\n",
            "2: key 'tls': none would",
        ),
        (USER + "token_command: t\n", "only one of password_file, token_command can be"),
        ("sasl_mechanisms: PLAIN\n", "1: key 'sasl_mechanisms': there is nothing to log in with"),
        ("sasl_mechanisms: external\n", "1: key 'sasl_mechanisms': EXTERNAL is a login by"),
        ("sasl_authzid: a\n", "1: key 'sasl_authzid': there is no login that could act"),
        ("tls_key_file: /k\n", "1: key 'tls_key_file': there is no tls_certificate_file"),
        ("tls_certificate_file: /c\ntls: none\n", "1: key 'tls_certificate_file': there is nobody"),
        (f"tls: opportunistic\ntls_pins: {PIN}\n", "2: key 'tls_pins': pins want TLS"),
        ("ca_file_only: true\n", "1: key 'ca_file_only': there is no ca_file"),
        (USER + "tls_verify: false\n", "3: key 'tls_verify': without verification"),
        ("retry_first: 2h\nretry_longest: 1h\n", "1: key 'retry_first': longer than retry_longest"),
        ("listen: 10.0.0.1:25\n", "1: key 'listen': 10.0.0.1:25 is no address that is loopback"),
        ("listen: 0.0.0.0:25\n", "1: key 'listen': 0.0.0.0:25 is for others than this machine"),
        ("listen: '[::]:25'\n", "1: key 'listen': [::]:25 is for others than this machine"),
        ("listen_for: private\nlisten: 192.0.2.1:25\n", "2: key 'listen': 192.0.2.1:25 is no"),
        ("listen: 127.0.0.1:25\nlisten_for: anyone\n", "key 'listen_user': not set"),
        ("listen_user: me\n", "1: key 'listen_user': a user needs a password"),
        ("listen_password_file: /p\n", "key 'listen_user': listen_password_file is set"),
    ],
)
def test_contradiction_is_an_error(yaml_file: Callable[..., str], text: str, trouble: str) -> None:
    (line,) = errors_of({}, yaml_file(text))
    assert trouble in line


@pytest.mark.parametrize(
    "text",
    [
        "tls: none\nsmarthost: smtp://a.test\n",
        USER + "tls: none\ninsecure_password: true\nsmarthost: smtp://a.test\n",
        USER + "tls_verify: false\ninsecure_password: true\n",
        "tls_verify: false\n",
        USER + "tls: opportunistic\n",
        USER + "tls: none\nsmarthost: lmtp:///s\n",
        f"{USER}tls_verify: false\ntls_pins: {PIN}\n",
        "token_file: /t\n",
        "sasl_authzid: a\ntls_certificate_file: /c\n",
        "user: me\nsasl_mechanisms: [EXTERNAL]\ntls_certificate_file: /c\n",
        "listen: [127.0.0.1:25, '[::1]:25', 127.8.9.10:2525]\n",
        "listen: [10.0.0.1:25, '[fd00::1]:25', 0.0.0.0:2525]\nlisten_for: private\n",
        "listen: 192.0.2.1:25\nlisten_for: anyone\nlisten_user: me\nlisten_password_file: /p\n",
    ],
)
def test_what_only_looks_like_a_contradiction_is_allowed(
    yaml_file: Callable[..., str], text: str
) -> None:
    load({}, yaml_file(text))


@pytest.mark.parametrize(
    "text", ["user: me\npasword: x\n", "user: me\npassword: ''\n", "user: me\n- x\n"]
)
def test_contradictions_of_what_is_wrong_already_are_not_told(
    yaml_file: Callable[..., str], text: str
) -> None:
    (line,) = errors_of({}, yaml_file(text))
    assert "a user needs" not in line


def test_doubts_are_warnings_with_their_place(yaml_file: Callable[..., str]) -> None:
    path = yaml_file("smarthost: submission://smtp.example.com\norigin: bare\n")
    warnings = load({}, path).warnings
    assert warnings[0].startswith(f"{path}:1: key 'smarthost': submission://smtp.example.com:587")
    assert warnings[1].startswith(f"{path}:2: key 'origin': bare names become NAME@bare")


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (Config(origin=b"a.test"), ["smarthost"]),
        (Config(origin=b"a.test", smarthost=("smtp://a.test",)), []),
        (Config(origin=b"[192.0.2.1]", smarthost=("smtp://example",)), ["smarthost"]),
        (Config(origin=b"a.test", smarthost=("lmtp:///s",), insecure_password=True),
         ["insecure_password"]),
        (Config(origin=b"a.test", smarthost=("smtp://a.test",), listen=("10.0.0.1:25",),
                listen_for="private"), ["listen_for"]),
        (Config(origin=b"a.test", smarthost=("smtp://a.test",), listen=("127.0.0.1:25",)), []),
    ],
)  # fmt: skip
def test_doubts_are_about_what_is_hardly_meant(config: Config, names: list[str]) -> None:
    assert [name for name, _doubt in find_doubts(config)] == names


def test_changes_are_what_was_configured(yaml_file: Callable[..., str]) -> None:
    path = yaml_file("wait: 60s\nuser: me\n")
    loaded = load({"PYSENDMAIL_PASSWORD": "hunter2", "PYSENDMAIL_LINGER": "no"}, path)
    assert list(loaded.changes()) == [
        ("user", "me", f"{path}:2"),
        ("password", "(not shown)", "PYSENDMAIL_PASSWORD"),
        ("wait", "1m", f"{path}:1"),
        ("linger", "false", "PYSENDMAIL_LINGER"),
    ]


def test_file_of_someone_else_is_unreadable(
    yaml_file: Callable[..., str], as_ordinary_user: Callable[[], None]
) -> None:
    path = yaml_file(GOOD_YAML, mode=0)
    as_ordinary_user()
    with pytest.raises(UnreadableConfigError, match="Permission denied"):
        load({}, path)


def test_mounted_secret_of_someone_else_is_unreadable_and_a_mistake_beside_it_an_error(
    open_directory: Path, as_ordinary_user: Callable[[], None]
) -> None:
    config, secret = open_directory / "c.yaml", open_directory / "s"
    config.write_text("user: me\n")
    secret.write_text("x")
    secret.chmod(0)
    as_ordinary_user()
    environ = {"PYSENDMAIL_PASSWORD_FILE": str(secret)}
    with pytest.raises(UnreadableConfigError):
        load(environ, str(config))
    with pytest.raises(ConfigError) as caught:
        load({**environ, "PYSENDMAIL_WAIT": "x"}, str(config))
    assert type(caught.value) is ConfigError


def test_snapshot_gives_the_same_configuration(yaml_file: Callable[..., str]) -> None:
    path = yaml_file(GOOD_YAML)
    parsed = load({}, path)
    assert write_snapshot(parsed)
    quick = load({}, path, use_snapshot=True)
    assert quick.config == parsed.config
    assert quick.file is None
    assert quick.sources["user"] == path
    assert not write_snapshot(quick)


def test_snapshot_is_not_used_when_secrets_were_withheld(yaml_file: Callable[..., str]) -> None:
    path = yaml_file(GOOD_YAML, mode=0o640)
    write_snapshot(load({}, path))
    assert Path(snapshot_path(path)).exists()
    assert load({}, path, use_snapshot=True).config.user == b"mailer@test.org"
