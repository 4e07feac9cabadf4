"""docs/netsmtp.md, held against the code: each member named there exists, each fault is shown."""

from __future__ import annotations

import inspect
import io
import re
from pathlib import Path

import pytest

import pysendmail.smtp
from pysendmail.smtp import AuthenticationError, Client, PermanentError, Reply, TransientError

TESTS = Path(__file__).parents[2]
PAGE = (TESTS.parent / "docs/netsmtp.md").read_text()

# All that the page of Netsmtp (OCamlnet 4.1) documents; `a.b` is a method of the class a or an
# argument of the function a.
NETSMTP = {
    "Protocol_error", "Authentication_error", "Transient_error", "Permanent_error",
    "tcp_port",
    "client", "client.helo", "client.helo_response", "client.auth", "client.authenticated",
    "client.mail", "client.rcpt", "client.data", "client.rset", "client.expn", "client.help",
    "client.noop", "client.quit", "client.close", "client.starttls", "client.command",
    "client.tls_endpoint", "client.tls_session_props", "client.gssapi_props",
    "connect", "connect.proxy", "connect.address", "connect.timeout",
    "auth_mechanisms",
    "authenticate", "authenticate.host", "authenticate.tls_config", "authenticate.tls_required",
    "authenticate.tls_peer", "authenticate.sasl_mechs", "authenticate.sasl_params",
    "authenticate.user", "authenticate.authz", "authenticate.creds",
    "sendmail",
    "Debug.enable",
}  # fmt: skip

# One of each class some of whose members only its objects have.
OBJECTS: dict[object, object] = {
    Client: Client(io.BytesIO(), io.BytesIO()),
    TransientError: TransientError(Reply(450, (b"later",)), b"MAIL"),
    PermanentError: PermanentError(Reply(550, (b"no",)), b"MAIL"),
    AuthenticationError: AuthenticationError("no"),
}

# `name`, `Class.name` or `name(parameter, parameter)`, as the page writes what is ours.
OURS = re.compile(r"`([A-Za-z_]+(?:\.[a-z_]+)?)(?:\(([a-z0-9_, ]+)\))?`")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of each row of the table behind that heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


MEMBERS = rows("Each member")
FAULTS = rows("Its faults, and what happens here")


def assert_exist(text: str) -> int:
    """Fail unless each name of ours in `text` exists, with the parameters given; count them."""
    found = OURS.findall(text)
    for name, parameters in found:
        first, _, member = name.partition(".")
        value = getattr(pysendmail.smtp, first)
        if member:
            value = getattr(OBJECTS.get(value, value), member)
        if parameters:
            assert set(parameters.split(", ")) <= set(inspect.signature(value).parameters), name
    return len(found)


def test_every_member_of_netsmtp_is_in_the_table() -> None:
    assert {name for row in MEMBERS for name in re.findall(r"`([^`]+)`", row[0])} == NETSMTP


@pytest.mark.parametrize("row", MEMBERS, ids=lambda row: row[0].strip("`"))
def test_member_has_a_counterpart_with_the_parameters_named(row: list[str]) -> None:
    assert assert_exist(row[1]) >= 1
    assert OURS.sub("", row[1]).strip(", ") == ""


def test_names_of_classes_in_the_remarks_exist() -> None:
    remarks = " ".join(row[2] for row in MEMBERS)
    capital = re.findall(r"`[A-Z][a-z][^`]*`", remarks)
    assert assert_exist(" ".join(capital)) == len(capital) > 5


def test_each_fault_is_shown_by_tests_that_exist() -> None:
    defined = re.compile(r"^def (test_\w+)", re.MULTILINE)
    files = TESTS.rglob("test_*.py")
    there = {name for file in files for name in defined.findall(file.read_text())}
    shown = {row[0]: re.findall(r"`(test_\w+)`", row[3]) for row in FAULTS}
    assert list(shown) == [f"B{number}" for number in range(1, 29)]
    assert all(shown.values())
    assert {name for names in shown.values() for name in names} - there == set()
