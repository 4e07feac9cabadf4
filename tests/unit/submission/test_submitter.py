"""Who submits: from passwd, or a name that stands for a uid."""

from __future__ import annotations

import os
import pwd

import pytest

from pysendmail.submission.submitter import find_submitter, submitter_of


def test_root_is_found() -> None:
    submitter = find_submitter(0)
    assert (submitter.uid, submitter.login) == (0, b"root")


def test_own_uid_is_found_or_stands_for_itself() -> None:
    try:
        login = os.fsencode(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        login = b"uid%d" % os.getuid()
    assert find_submitter(os.getuid()).login == login


def test_uid_without_a_name_stands_for_itself() -> None:
    submitter = find_submitter(4_000_000_001)
    assert submitter.login == b"uid4000000001"
    assert submitter.full_name == b""
    assert "uid4000000001" in repr(submitter)


@pytest.mark.parametrize(
    ("login", "shown"),
    [(b"joe", b"joe"), (b"svc$", b"svc$"), (b"joe@corp.example", b"joe@corp.example"),
     (b"CORP\\joe", b"uid7"), (b"a b", b"uid7"), (b"", b"uid7")],
    ids=repr,
)  # fmt: skip
def test_login_that_cannot_stand_in_an_address_is_not_used(login: bytes, shown: bytes) -> None:
    assert submitter_of(7, login, b"").login == shown


def test_full_name_is_that_of_gecos() -> None:
    assert submitter_of(7, b"alice", b"& Liddell,Room 1,,").full_name == b"Alice Liddell"
