"""Whatever a server does, the client copes or ends in an error of ours, and in time."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pysendmail.smtp import SmtpError, Timeouts, TlsConfig, connect
from tests.helpers.lying_server import LyingServer
from tests.integration.lying import logins, messages, replies
from tests.integration.lying.case import HOST, Case, Seen

CASES: list[Case] = [*replies.CASES, *logins.CASES, *messages.CASES]
DEADLINE_S = 10.0


@pytest.fixture(scope="module")
def server_side(server_tls_context: Callable[[str], ssl.SSLContext]) -> ssl.SSLContext:
    return server_tls_context(HOST)


def meet(case: Case, server_side: ssl.SSLContext, config: TlsConfig) -> Seen:
    """Let a client meet the server of a case."""
    seen = Seen()
    with LyingServer(*case.recipe, tls=server_side) as server:
        client = connect(
            server.address,
            Timeouts(**case.timeouts),
            trace=lambda who, line: seen.trace.append(line),
            deadline=time.monotonic() + DEADLINE_S,
        )
        try:
            seen.result = case.act(client, config)
        except SmtpError as error:
            seen.error = error
        finally:
            seen.broken = client.broken
            client.close()
    seen.heard, seen.octets = server.heard, bytes(server.octets)
    return seen


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_case_ends_as_it_must_and_in_time(
    case: Case, server_side: ssl.SSLContext, ca_file: Path
) -> None:
    began = time.monotonic()
    seen = meet(case, server_side, TlsConfig(ca_file=str(ca_file)))
    assert time.monotonic() - began < DEADLINE_S
    assert (seen.error is not None) is (case.ends is not None), seen.error
    assert case.ends is None or isinstance(seen.error, case.ends)
    assert case.holds(seen), seen.heard


# What a server of each kind has to be able to do to us, at the least.
ROWS: dict[int, tuple[str, ...]] = {
    1: (
        "bare codes", "LF alone", "line of 600 octets", "line of 20,000 octets",
        "codes that differ", "1yz", "6yz", "garbage", "end at the greeting", "end at EHLO",
        "end at STARTTLS", "end in the handshake", "end at AUTH", "end at a challenge",
        "end at MAIL", "end at RCPT", "end at DATA", "end in the message", "end after the message",
        "end at BDAT", "end at RSET",
    ),
    2: ("two lines", "421", "554", "521", "silence"),
    3: (
        "500 and HELO", "421", "554", "lower case", "AUTH=", "SIZE alone", "SIZE 0", "SIZE junk",
    ),
    4: ("AUTH changes", "454", "injected behind 220", "no handshake", "not offered"),
    5: (
        "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "EXTERNAL",
        "OAUTHBEARER", "XOAUTH2", "first response too long, 334",
        "first response too long, 334 with text", "challenge that is not base64", "235 too early",
        "wrong signature of SCRAM", "complaint of OAUTHBEARER", "535", "534", "454", "not offered",
    ),
    6: ("exact form", "null sender", "parameters that are offered", "parameters that are not"),
    7: ("mix", "all refused, pipelined", "all refused, step by step", "354 after all refused"),
    8: (
        "leading dots", "cut anywhere", "mixed line ends", "smuggled end b'\\n.\\n'",
        "no final line end", "empty message", "five megabytes",
    ),
    9: ("421 at RCPT", "421 at DATA", "421 after the dot", "drip after the dot"),
    10: ("no answer", "4yz", "close"),
    11: (
        "host", "sender", "recipient", "RET", "BODY", "NOTIFY", "type of ORCPT", "ORCPT", "ENVID",
        "AUTH=", "keyword", "value", "VRFY", "EXPN", "HELP", "COMMAND",
    ),
    12: ("PLAIN", "LOGIN"),
    13: ("accepted", "refused in the middle", "last one empty"),
    14: ("LIMITS", "no SMTPUTF8", "no 8BITMIME", "SIZE exceeded"),
}  # fmt: skip


def test_every_row_is_there_and_every_case_has_a_name_of_its_own() -> None:
    names = [(case.row, case.name) for case in CASES]
    assert len(set(names)) == len(names)
    missing = {(row, name) for row, needed in ROWS.items() for name in needed} - set(names)
    assert not missing
    assert {case.row for case in CASES} == set(ROWS)
