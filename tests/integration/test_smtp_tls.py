"""TLS over real sockets: who is believed, what is said when nobody can be, and what is not sent."""

from __future__ import annotations

import datetime
import gc
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pysendmail.smtp import (
    Client,
    ConnectionLost,
    Timeouts,
    TlsConfig,
    TlsError,
    authenticate,
    connect,
)
from pysendmail.smtp.transport.pin import pins_of
from pysendmail.smtp.transport.stream import SocketStream
from tests.helpers.lying_server import (
    Conversation,
    LyingServer,
    Step,
    cut_record,
    hear,
    say,
    send,
    stall,
    turn_to_tls,
)
from tests.helpers.waiting import wait_until

HELLO = (hear(), say("250-mx", "250-STARTTLS", "250 AUTH PLAIN"))
PATIENCE = Timeouts(tls=10, greeting=10, quit=1)


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def der_of(certificate: trustme.LeafCert) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())


def secured(server: LyingServer, config: TlsConfig, name: str = "localhost") -> Client:
    """Connect with TLS from the first octet and hear the greeting."""
    client = connect(server.address, PATIENCE, tls=config, server_hostname=name)
    try:
        client.greeting()
    except BaseException:
        client.close()
        raise
    return client


def refusing(server_tls: ssl.SSLContext) -> LyingServer:
    """Return a server whose handshake the client will not like; it must hear nothing then."""
    return LyingServer(turn_to_tls(server_tls, may_fail=True), say_if_possible("220 mx"), listen())


def say_if_possible(line: str) -> Step:
    def step(conversation: Conversation) -> None:
        try:
            say(line)(conversation)
        except OSError:
            pass  # the client has gone

    return step


def listen() -> Step:
    """Hear whatever still comes."""

    def step(conversation: Conversation) -> None:
        try:
            while conversation.line():
                pass
        except OSError:
            pass  # the client has gone, without taking leave

    return step


# --- Pins


@pytest.fixture
def leaf(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("localhost")


@pytest.mark.parametrize("which", [0, 1], ids=["certificate", "key"])
def test_right_pin_on_top_of_the_authority_is_verified(
    leaf: trustme.LeafCert, ca_file: Path, which: int
) -> None:
    pins = ["sha256:" + "00" * 32, pins_of(der_of(leaf))[which]]
    with LyingServer(turn_to_tls(server_context(leaf)), say("220 mx"), stall()) as server:
        client = secured(server, TlsConfig(ca_file=str(ca_file), pins=pins))
        assert client.tls_verified
        client.close()


def test_wrong_pin_is_refused_and_the_right_ones_are_told(
    leaf: trustme.LeafCert, ca_file: Path
) -> None:
    config = TlsConfig(ca_file=str(ca_file), pins=["sha256:" + "00" * 32])
    with refusing(server_context(leaf)) as server, pytest.raises(TlsError) as caught:
        secured(server, config)
    assert all(pin in str(caught.value) for pin in pins_of(der_of(leaf)))
    assert server.heard == []


def test_wrong_pin_after_starttls_sends_no_password(leaf: trustme.LeafCert) -> None:
    config = TlsConfig(verify=False, pins=["sha256:" + "00" * 32])
    with LyingServer(
        say("220 mx"), *HELLO, hear(), say("220 go"),
        turn_to_tls(server_context(leaf), may_fail=True), listen(),
    ) as server:  # fmt: skip
        client = connect(server.address, PATIENCE)
        with pytest.raises(TlsError, match="pin"):
            authenticate(
                client, host=b"me", tls_config=config, tls_peer="localhost", user=b"u",
                creds=[(b"password", b"p")],
            )  # fmt: skip
        assert client.broken
        assert client.tls_endpoint is None
        client.close()
    assert server.heard == [b"EHLO me", b"STARTTLS"]


def test_pin_of_a_certificate_no_authority_knows_is_enough_for_the_password(
    leaf: trustme.LeafCert,
) -> None:
    config = TlsConfig(verify=False, pins=[pins_of(der_of(leaf))[1]])
    with LyingServer(
        say("220 mx"), *HELLO, hear(), say("220 go"), turn_to_tls(server_context(leaf)),
        *HELLO, hear(), say("235 welcome"), hear(), say("221 bye"),
    ) as server, connect(server.address, PATIENCE) as client:  # fmt: skip
        authenticate(
            client, host=b"me", tls_config=config, tls_peer="other.example", user=b"u",
            creds=[(b"password", b"p")],
        )  # fmt: skip
        assert client.tls_verified
        assert client.authenticated


def test_pin_does_not_replace_the_authority_unless_told(leaf: trustme.LeafCert) -> None:
    config = TlsConfig(pins=[pins_of(der_of(leaf))[0]])
    with refusing(server_context(leaf)) as server, pytest.raises(TlsError, match="authority"):
        secured(server, config)
    assert server.heard == []


# --- Whom nobody should believe


def issued_for(days: tuple[int, int]) -> Callable[[trustme.CA], ssl.SSLContext]:
    def make(ca: trustme.CA) -> ssl.SSLContext:
        now = datetime.datetime.now(datetime.UTC)
        begin, end = (now + datetime.timedelta(days=day) for day in days)
        return server_context(ca.issue_cert("localhost", not_before=begin, not_after=end))

    return make


def of_another_name(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca.issue_cert("other.example"))


def of_another_authority(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(trustme.CA().issue_cert("localhost"))


def signed_by_itself(ca: trustme.CA) -> ssl.SSLContext:
    authority = trustme.CA()
    with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    return context


@pytest.mark.parametrize(
    ("server_of", "words"),
    [
        (issued_for((-9, -2)), "the certificate of localhost has expired"),
        (issued_for((2, 9)), "the certificate of localhost is not valid yet"),
        (of_another_name, "the certificate of the server is not for localhost"),
        (signed_by_itself, "the certificate of localhost is signed by itself"),
        (of_another_authority, "comes from an authority that is not known here"),
    ],
)
def test_fault_of_the_certificate_is_told_in_words(
    server_of: Callable[[trustme.CA], ssl.SSLContext], words: str, ca: trustme.CA, ca_file: Path
) -> None:
    with refusing(server_of(ca)) as server, pytest.raises(TlsError, match=words):
        secured(server, TlsConfig(ca_file=str(ca_file)))
    assert server.heard == []


def test_address_that_is_not_in_the_certificate_is_refused(
    leaf: trustme.LeafCert, ca_file: Path
) -> None:
    with refusing(server_context(leaf)) as server, pytest.raises(TlsError, match=r"not for 127\."):
        secured(server, TlsConfig(ca_file=str(ca_file)), "127.0.0.1")


def test_private_authority_alone_does_not_trust_another(ca_file: Path) -> None:
    alone = TlsConfig(ca_file=str(ca_file), system_authorities=False)
    other = server_context(trustme.CA().issue_cert("localhost"))
    with refusing(other) as server, pytest.raises(TlsError, match="authority"):
        secured(server, alone)


def test_root_dot_of_the_name_is_left_out(leaf: trustme.LeafCert, ca_file: Path) -> None:
    with LyingServer(turn_to_tls(server_context(leaf)), say("220 mx"), stall()) as server:
        secured(server, TlsConfig(ca_file=str(ca_file)), "localhost.").close()


# --- Versions


def limited_to(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def test_server_that_speaks_only_tls_1_0_is_refused(leaf: trustme.LeafCert, ca_file: Path) -> None:
    old = limited_to(server_context(leaf), ssl.TLSVersion.TLSv1)
    with (
        refusing(old) as server,
        pytest.raises(TlsError, match=r"does not speak TLS 1\.2 or newer"),
    ):
        secured(server, TlsConfig(ca_file=str(ca_file)))
    assert server.heard == []


def test_tls_1_0_is_spoken_with_who_is_told_that_it_is_insecure(
    leaf: trustme.LeafCert, ca_file: Path
) -> None:
    old = limited_to(server_context(leaf), ssl.TLSVersion.TLSv1)
    with LyingServer(turn_to_tls(old), say("220 mx"), stall()) as server:
        client = secured(server, TlsConfig(ca_file=str(ca_file), minimum_version="insecure-1.0"))
        assert client.tls_session_props.version == "TLSv1"
        client.close()


def test_minimum_1_3_refuses_a_server_of_1_2(leaf: trustme.LeafCert, ca_file: Path) -> None:
    older = limited_to(server_context(leaf), ssl.TLSVersion.TLSv1_2)
    with (
        refusing(older) as server,
        pytest.raises(TlsError, match=r"does not speak TLS 1\.3 or newer"),
    ):
        secured(server, TlsConfig(ca_file=str(ca_file), minimum_version="1.3"))


def test_server_in_clear_is_not_taken_for_tls(ca_file: Path) -> None:
    with (
        LyingServer(say("220 mx ESMTP"), listen()) as server,
        pytest.raises(TlsError, match="what the server sent is not TLS"),
    ):
        secured(server, TlsConfig(ca_file=str(ca_file)))


def test_server_that_hangs_up_on_the_handshake_is_told_so(ca_file: Path) -> None:
    def read_and_leave(conversation: Conversation) -> None:
        conversation.socket.recv(65536)

    with LyingServer(read_and_leave) as server, pytest.raises(TlsError, match="was cut"):
        secured(server, TlsConfig(ca_file=str(ca_file)))


# --- Our own certificate


@pytest.fixture
def demanding(leaf: trustme.LeafCert, ca: trustme.CA) -> ssl.SSLContext:
    """A server's context that lets in nobody without a certificate."""
    context = server_context(leaf)
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    return context


def test_client_certificate_is_shown_to_a_server_that_demands_one(
    demanding: ssl.SSLContext, ca: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.pem"
    leaf = ca.issue_cert("me.example")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(mine))
    seen = []

    def look(conversation: Conversation) -> None:
        assert isinstance(conversation.socket, ssl.SSLSocket)
        seen.append(conversation.socket.getpeercert(binary_form=True))

    with LyingServer(turn_to_tls(demanding), look, say("220 mx"), stall()) as server:
        config = TlsConfig(ca_file=str(ca_file), certificate_file=str(mine))
        secured(server, config).close()
    assert seen == [der_of(leaf)]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_server_that_demands_a_certificate_says_so_in_words(
    demanding: ssl.SSLContext, ca_file: Path, version: ssl.TLSVersion
) -> None:
    demanding.maximum_version = version
    # TLS 1.3 tells it behind the handshake, where the greeting was expected
    with (
        LyingServer(turn_to_tls(demanding, may_fail=True)) as server,
        pytest.raises((TlsError, ConnectionLost), match="wants a client certificate"),
    ):
        secured(server, TlsConfig(ca_file=str(ca_file)))


def test_client_certificate_that_the_server_does_not_know_is_told_so(
    demanding: ssl.SSLContext, ca_file: Path, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.pem"
    trustme.CA().issue_cert("me").private_key_and_cert_chain_pem.write_to_path(str(stranger))
    with (
        LyingServer(turn_to_tls(demanding, may_fail=True)) as server,
        pytest.raises((TlsError, ConnectionLost), match="authority of our client certificate"),
    ):
        secured(server, TlsConfig(ca_file=str(ca_file), certificate_file=str(stranger)))


# --- What a session is


def test_channel_binding_is_that_of_the_certificate_shown(
    leaf: trustme.LeafCert, ca_file: Path
) -> None:
    with LyingServer(turn_to_tls(server_context(leaf)), say("220 mx"), stall()) as server:
        client = secured(server, TlsConfig(ca_file=str(ca_file)))
        binding = client.tls_session_props.server_end_point
        assert binding == hashlib.sha256(der_of(leaf)).digest()
        client.close()


def test_connection_that_is_cut_is_no_end_of_tls(leaf: trustme.LeafCert, ca_file: Path) -> None:
    # all but the last octets of a reply, then the end of TCP without that of TLS
    with LyingServer(turn_to_tls(server_context(leaf)), send(b"220-mx\r\n220 r")) as server:
        client = connect(
            server.address, PATIENCE, tls=TlsConfig(ca_file=str(ca_file)),
            server_hostname="localhost",
        )  # fmt: skip
        with pytest.raises(ConnectionLost, match="cut without the end that TLS prescribes"):
            client.greeting()
        client.close()


def test_record_that_is_cut_is_a_loss_and_no_answer(leaf: trustme.LeafCert, ca_file: Path) -> None:
    tls = turn_to_tls(server_context(leaf))
    with LyingServer(tls, say("220 mx"), hear(), cut_record()) as server:
        client = secured(server, TlsConfig(ca_file=str(ca_file)))
        with pytest.raises(ConnectionLost):
            client.noop()
        client.close()


def test_kept_session_that_was_cut_is_not_usable(leaf: trustme.LeafCert, ca_file: Path) -> None:
    with LyingServer(turn_to_tls(server_context(leaf)), say("220 mx"), hear()) as server:
        client = secured(server, TlsConfig(ca_file=str(ca_file)))
        assert client.usable()
        with pytest.raises(ConnectionLost, match="cut without the end"):
            client.noop()
        client.close()
    with LyingServer(turn_to_tls(server_context(leaf)), say("220 mx")) as server:
        client = secured(server, TlsConfig(ca_file=str(ca_file)))
        wait_until(lambda: not client.usable(), what="the cut to be noticed")
        client.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_authorities_of_the_system_are_found_by_their_hash(
    leaf: trustme.LeafCert, ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["openssl", "x509", "-in", str(ca_file), "-noout", "-subject_hash"]
    hashed = subprocess.run(argv, capture_output=True, check=True, text=True).stdout.strip()
    (tmp_path / f"{hashed}.0").write_bytes(ca_file.read_bytes())
    monkeypatch.setattr("pysendmail.smtp.transport.tls.CA_DIRECTORY", str(tmp_path))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with LyingServer(turn_to_tls(server_context(leaf)), say("220 mx"), stall()) as server:
        client = secured(server, TlsConfig())
        assert client.tls_verified
        client.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_session_is_resumed_and_still_verified(
    leaf: trustme.LeafCert, ca_file: Path, version: ssl.TLSVersion
) -> None:
    context = limited_to(server_context(leaf), version)
    pins = pins_of(der_of(leaf))
    config = TlsConfig(ca_file=str(ca_file), pins=pins, resume=True)
    reused = []
    for _ in range(2):
        with LyingServer(
            turn_to_tls(context), say("220 mx"), hear(), say("221 bye"), listen()
        ) as server:
            client = secured(server, config)
            reused.append(client.tls_endpoint.session_reused)
            assert client.tls_verified
            client.quit()
    assert reused == [False, True]


def test_session_too_large_to_be_kept_spoils_no_end(tmp_path: Path) -> None:
    large = tmp_path / "large.pem"
    large.write_bytes(self_signed(octets=66_000))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(large)
    config = TlsConfig(ca_file=str(large), system_authorities=False, resume=True)
    with LyingServer(turn_to_tls(context), say("220 mx"), hear(), say("221 bye")) as server:
        client = secured(server, config)
        client.quit()
    assert config.session_for("localhost") is None
    gc.collect()  # a socket that was left would warn here


def self_signed(*, octets: int) -> bytes:
    """Return a key and a certificate for localhost, which is so large, in PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    filling = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(octets))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), serial_number=1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(filling, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, encoding = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    return key.private_bytes(encoding, pem, serialization.NoEncryption()) + (
        certificate.public_bytes(encoding)
    )


def test_failed_handshake_leaves_no_socket_behind(leaf: trustme.LeafCert) -> None:
    for name in ("localhost", "", "x" * 64):
        with refusing(server_context(leaf)) as server, pytest.raises(TlsError):
            connect(server.address, PATIENCE, tls=TlsConfig(), server_hostname=name or ".")
    gc.collect()  # a socket that was left would warn here, and warnings are errors


def test_closed_stream_leaves_alone_who_has_its_number_now(
    leaf: trustme.LeafCert, ca_file: Path, tmp_path: Path
) -> None:
    with LyingServer(turn_to_tls(server_context(leaf)), stall()) as server:
        stream = SocketStream(socket.create_connection(server.address))
        stream.set_timeout(10)
        number = stream._socket.fileno()
        stream.start_tls(TlsConfig(ca_file=str(ca_file)), "localhost")
        endpoint = stream.tls_endpoint
        stream.close()
        (tmp_path / "other").write_bytes(b"its own")
        other = os.open(tmp_path / "other", os.O_RDWR)
        if other != number:
            os.dup2(other, number)
            os.close(other)
        try:
            for use in (stream.write, endpoint.write):
                with pytest.raises(OSError, match=r"Bad file descriptor|connection gone"):
                    use(memoryview(b"ours"))
            for use in (stream.read, endpoint.read):
                with pytest.raises(OSError, match=r"Bad file descriptor|connection gone"):
                    use(4)
            stream.close()
            assert os.lseek(number, 0, os.SEEK_CUR) == 0
        finally:
            os.close(number)
    assert (tmp_path / "other").read_bytes() == b"its own"
