"""The two examples of Netsmtp's page, as docs/netsmtp.md has them, against a real Postfix."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import Any

import pytest

from tests.helpers.examples import Places, examples_of
from tests.helpers.postfix import PostfixSmarthost
from tests.integration.conftest import Certificates


@pytest.mark.parametrize("offered", [["SCRAM-SHA-1", "DIGEST-MD5"], ["DIGEST-MD5"]])
def test_both_examples_run_and_the_login_is_by_the_first_that_is_offered(
    postfix_installed: None,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    offered: list[str],
) -> None:
    said: list[bytes] = []

    def trace(side: bytes, line: bytes) -> None:
        if side == b"C":
            said.append(line)

    imports, *examples = examples_of("netsmtp.md")
    assert [example.prints for example in examples] == ["TLSv1.3 False\n", "True\n"]
    names: dict[str, Any] = {}
    imports.run(names)
    names["connect"] = partial(names["connect"], trace=trace)
    server = PostfixSmarthost(
        # of an authority that nobody knows, and for another name
        certificate=certificates.stranger,
        user="tom",
        password="sEcReT",
        mechanisms=offered,
    )
    with closing(server):
        Places(monkeypatch).put("smtp.example.com", 587, server.port)
        for example in examples:
            example.run(names)
    secured = [b"EHLO me.example.com", b"STARTTLS", b"EHLO me.example.com"]
    login = [b"AUTH %b ***" % offered[0].encode(), b" ***", b" ***"]
    assert said == [*secured, b"QUIT", *secured, *login, b"QUIT"]
