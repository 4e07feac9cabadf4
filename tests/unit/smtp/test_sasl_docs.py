"""docs/sasl.md, held against the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pysendmail.smtp import Client, PermanentError
from pysendmail.smtp.sasl import DEFAULT_MECHANISMS, MECHANISMS
from pysendmail.smtp.sasl.parameters import KNOWN
from tests.unit.smtp.streams import Peer

PAGE = (Path(__file__).parents[3] / "docs/sasl.md").read_text()


def rows(first_heading: str) -> Iterator[list[str]]:
    """Yield the cells of the table whose first column is headed so."""
    table = PAGE.partition(f"| {first_heading} |")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        yield [cell.strip(" `") for cell in line.strip("|").split("|")]


def test_each_mechanism_is_what_the_table_says() -> None:
    listed = {row[0].encode(): row[1:] for row in rows("mechanism")}
    assert listed.keys() == set(MECHANISMS)
    for name, (_, proves, keeps, unasked) in listed.items():
        said = [proves == "yes", keeps == "no", unasked == "yes"]
        mechanism = MECHANISMS[name]
        assert said == [mechanism.mutual, mechanism.reveals_secret, name in DEFAULT_MECHANISMS]
    assert tuple(name for name in listed if listed[name][-1] == "yes") == DEFAULT_MECHANISMS


def test_each_parameter_is_in_the_table_with_those_who_know_it() -> None:
    listed = {name.encode(): users.encode() for name, users, _ in rows("parameter")}
    assert listed.keys() == KNOWN
    for parameter, users in listed.items():
        knowing = {name for name in MECHANISMS if parameter in MECHANISMS[name].obeyed}
        named = {name for name in MECHANISMS if users == b"all" or name.startswith(users)}
        assert knowing == named


def test_example_logs_in() -> None:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    peer = Peer(b"220 mx\r\n", b"250-mx\r\n250 AUTH PLAIN SCRAM-SHA-1\r\n", b"535 no\r\n")
    peer.tls_endpoint = "implicit"  # type: ignore[attr-defined]
    with pytest.raises(PermanentError):
        names["log_in"](Client(peer, peer), None)
    assert peer.writes[1].startswith(b"AUTH SCRAM-SHA-1 ")
