"""What the keys say of a smarthost holds in the installed programs, with real servers behind."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.helpers import dovecot, exim
from tests.helpers.dovecot import DovecotLmtp, DovecotSubmission
from tests.helpers.exim import EximPeer
from tests.helpers.postfix import PostfixSmarthost
from tests.helpers.proxies import microsocks, tinyproxy
from tests.helpers.smarthost import Smarthost
from tests.helpers.system import Site
from tests.helpers.token_endpoint import TokenEndpoint
from tests.integration.conftest import PASSWORD, USER, Certificates, SiteMaker, pem_of

GOOD, SPOILT = "good@example.com", "spoilt@example.com"
OLD_TOKEN, NEW_TOKEN = "ya29.old", "ya29.new"
PROXY_USER, PROXY_PASSWORD = "proxyuser", "S3cret"


@pytest.fixture
def lmtp_server() -> Iterator[DovecotLmtp]:
    """Dovecot's LMTP service, in which one mailbox cannot be written."""
    if reason := dovecot.why_not("lmtp"):
        pytest.skip(reason)
    server = DovecotLmtp()
    server.spoil(SPOILT)
    yield server
    server.close()


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    """Who knows which token is good."""
    made = TokenEndpoint({OLD_TOKEN: USER})
    yield made
    made.close()


@pytest.fixture
def token_server(certificates: Certificates, endpoint: TokenEndpoint) -> Iterator[Smarthost]:
    """Dovecot's submission service, where one logs in by a token."""
    if reason := dovecot.why_not("submission"):
        pytest.skip(reason)
    server = DovecotSubmission(
        certificate=certificates.good,
        user=USER,
        password=PASSWORD,
        mechanisms="oauthbearer",
        introspection=endpoint.url,
    )
    yield server
    server.close()


@pytest.fixture
def certificate_server(certificates: Certificates, ca: trustme.CA) -> Iterator[Smarthost]:
    """Exim that knows its clients by their certificates."""
    if reason := exim.why_not():
        pytest.skip(reason)
    server = EximPeer(
        certificate=certificates.good,
        client_ca=ca.cert_pem.bytes(),
        user=USER,
        password=PASSWORD,
    )
    yield server
    server.close()


def nobody(made: SiteMaker, **configuration: str | None) -> Site:
    """Return a site without a password, whose daemon runs."""
    site = made(None, user="", **configuration)
    site.daemon.start()
    return site


def pin_of(pem: bytes) -> str:
    """Return the pin of the first certificate in a PEM with a key and a chain."""
    begin = pem.index(b"-----BEGIN CERTIFICATE")
    end = pem.index(b"-----END CERTIFICATE-----", begin) + len(b"-----END CERTIFICATE-----")
    der = ssl.PEM_cert_to_DER_cert(pem[begin:end].decode())
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def test_lmtp_recipients_have_verdicts_of_their_own(
    make_site: SiteMaker, lmtp_server: DovecotLmtp
) -> None:
    site = nobody(make_site, smarthost_=f"lmtp://localhost:{lmtp_server.port}")
    done = site.send("shared", GOOD, SPOILT)
    assert (done.returncode, done.stderr) == (0, b"")
    (received,) = lmtp_server.wait_for(1)
    assert received.recipients == (GOOD.encode(),)
    listing = site.mailq()
    assert SPOILT in listing
    assert GOOD not in listing


def test_token_is_read_at_each_login(
    make_site: SiteMaker, token_server: DovecotSubmission, endpoint: TokenEndpoint, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(f"{OLD_TOKEN}\n")
    site = nobody(
        make_site,
        smarthost_=f"smtp://localhost:{token_server.port}",
        user_=USER,
        token_file=str(token),
        messages_per_connection="1",
    )
    assert site.send("with the old token", GOOD).returncode == 0
    endpoint.tokens = {NEW_TOKEN: USER}
    assert site.send("with none that is good", GOOD).returncode == 0
    assert GOOD in site.mailq()
    token.write_text(f"{NEW_TOKEN}\n")
    site.flush()
    token_server.wait_for(2)
    site.wait_idle()
    for text in (site.daemon.log(), site.run("pysendmail", "check").stdout.decode()):
        assert OLD_TOKEN not in text
        assert NEW_TOKEN not in text


def test_token_that_cannot_be_read_keeps_the_mail_and_is_told(
    make_site: SiteMaker, token_server: DovecotSubmission
) -> None:
    site = nobody(
        make_site,
        smarthost_=f"smtp://localhost:{token_server.port}",
        user_=USER,
        token_command="false",
    )
    assert site.send("waits", GOOD).returncode == 0
    assert GOOD in site.mailq()
    assert "token_command" in site.status()
    assert token_server.received() == []


def test_login_by_a_client_certificate(
    make_site: SiteMaker, certificate_server: EximPeer, ca: trustme.CA, tmp_path: Path
) -> None:
    own = tmp_path / "client.pem"
    own.write_bytes(pem_of(ca.issue_cert("client.example.com", common_name=USER)))
    site = nobody(
        make_site,
        smarthost_=f"smtp://localhost:{certificate_server.port}",
        sasl_authzid=USER,
        tls_certificate_file=str(own),
    )
    checked = site.run("pysendmail", "check").stdout.decode()
    assert f"logged in as {USER}" in checked
    assert site.send("by certificate", GOOD).returncode == 0
    (received,) = certificate_server.wait_for(1)
    assert received.subject == b"by certificate"


def test_pin_that_matches_stands_in_the_place_of_an_authority_and_another_one_keeps_the_mail(
    make_site: SiteMaker, certificates: Certificates, postfix_installed: None
) -> None:
    smarthost = PostfixSmarthost(certificate=certificates.stranger, user=USER, password=PASSWORD)
    try:
        site = make_site(
            smarthost,
            tls_verify="false",
            ca_file=None,
            tls_pins=pin_of(certificates.good),
            wait="20s",
        )
        site.daemon.start()
        assert site.send("pinned", GOOD).returncode == 0
        assert GOOD in site.mailq()
        assert "matches no pin" in site.status()
        assert smarthost.received() == []
        site.configure(tls_pins=pin_of(certificates.stranger))
        site.daemon.reload()
        smarthost.wait_for(1)
        site.wait_idle()
    finally:
        smarthost.close()


@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_mail_goes_by_a_proxy_that_alone_knows_the_way(
    make_site: SiteMaker, postfix_smarthost: PostfixSmarthost, tmp_path: Path, scheme: str
) -> None:
    running = (
        microsocks(PROXY_USER, PROXY_PASSWORD)
        if scheme == "socks5"
        else tinyproxy(tmp_path, PROXY_USER, PROXY_PASSWORD)
    )
    with running as address:
        site = make_site(postfix_smarthost)
        set_proxy(site, f"{scheme}://{PROXY_USER}:{PROXY_PASSWORD}@{address}")
        checked = site.run("pysendmail", "check")
        if b"needs the Python package python-socks" in checked.stderr:
            pytest.skip("the programs were installed without python-socks")
        told = (checked.stdout + checked.stderr).decode()
        assert checked.returncode == 0, told
        assert f"proxy = {scheme}://{address}" in told
        assert PROXY_PASSWORD not in told
        site.daemon.start()
        assert site.send("by proxy", GOOD).returncode == 0
        postfix_smarthost.wait_for(1)
        set_proxy(site, f"{scheme}://{PROXY_USER}:wrong@{address}")
        site.daemon.reload()
        site.daemon.wait_for_log(lambda log: "reload" in log, "a reload")
        assert site.send("refused by the proxy", GOOD).returncode == 0
        assert GOOD in site.mailq()
        assert PROXY_PASSWORD not in site.daemon.log()


def set_proxy(site: Site, url: str) -> None:
    """Write a proxy with a password into the configuration, which others then must not read."""
    site.configure(proxy=url)
    site.path.chmod(0o640)


def test_extensions_to_ignore_are_not_used(
    make_site: SiteMaker, postfix_smarthost: PostfixSmarthost
) -> None:
    site = make_site(postfix_smarthost, ignore_extensions="[PIPELINING, chunking]")
    told = site.run("pysendmail", "check").stdout.decode()
    (offers,) = (line for line in told.splitlines() if "offers" in line)
    assert "PIPELINING" not in offers
    assert "CHUNKING" not in offers
    assert "8BITMIME" in offers
    assert site.send("step by step", GOOD).returncode == 0
    postfix_smarthost.wait_for(1)
