from __future__ import annotations

import time

import pytest

from pysendmail.smtp import Extensions, auth_mechanisms
from pysendmail.smtp.extensions import parse_extensions


def offers(*lines: bytes) -> Extensions:
    return parse_extensions((b"mx.example.com at your service", *lines))


def test_first_line_is_no_keyword() -> None:
    assert not parse_extensions((b"PIPELINING",)).keywords


@pytest.mark.parametrize("line", [b"STARTTLS", b"starttls", b" StartTLS ", b"STARTTLS junk"])
@pytest.mark.trap(10)
def test_keyword_is_found_whatever_its_case_and_blanks(line: bytes) -> None:
    assert b"STARTTLS" in offers(line)
    assert b"PIPELINING" not in offers(line)


def test_blank_line_offers_nothing() -> None:
    assert offers(b"", b"  ").keywords == {}


@pytest.mark.parametrize(
    ("lines", "mechanisms"),
    [
        ([b"AUTH PLAIN LOGIN"], (b"PLAIN", b"LOGIN")),
        ([b"auth plain login"], (b"PLAIN", b"LOGIN")),
        ([b"AUTH=PLAIN LOGIN"], (b"PLAIN", b"LOGIN")),
        ([b"AUTH PLAIN", b"AUTH=PLAIN LOGIN"], (b"PLAIN", b"LOGIN")),
        ([b"AUTH= PLAIN"], (b"PLAIN",)),
        ([b"AUTH PLAIN", b"AUTH EXTERNAL"], (b"PLAIN", b"EXTERNAL")),
        ([b"AUTH"], ()),
        ([], ()),
    ],
)
@pytest.mark.trap(10)
def test_mechanisms_are_collected_from_every_form(
    lines: list[bytes], mechanisms: tuple[bytes, ...]
) -> None:
    assert offers(*lines).auth_mechanisms == mechanisms
    assert auth_mechanisms([b"mx", *lines]) == mechanisms


def test_very_many_mechanisms_cost_no_more_than_their_number() -> None:
    names = [b"%d" % number for number in range(40_000)]
    lines = [b"AUTH " + b" ".join(names[start::100]) for start in range(100)]
    begin = time.process_time()
    assert sorted(auth_mechanisms([b"mx", *lines])) == sorted(names)
    assert time.process_time() - begin < 2  # all compared with all take longer


def test_auth_without_mechanisms_is_offered_all_the_same() -> None:
    assert offers(b"AUTH").keywords == {b"AUTH": ()}


@pytest.mark.parametrize(
    ("line", "limit"),
    [
        (b"SIZE 1000", 1000),
        (b"SIZE 0", None),
        (b"SIZE", None),
        (b"SIZE junk", None),
        (b"SIZE -5", None),
        (b"SIZE " + b"9" * 21, None),
        (b"8BITMIME", None),
    ],
)
def test_size_without_sense_is_no_limit(line: bytes, limit: int | None) -> None:
    assert offers(line).size_limit == limit


@pytest.mark.parametrize(
    ("line", "limits"),
    [
        (b"LIMITS RCPTMAX=20 MAILMAX=5", {b"RCPTMAX": 20, b"MAILMAX": 5}),
        (b"limits rcptmax=20", {b"RCPTMAX": 20}),
        (b"LIMITS RCPTMAX=0 RCPTMAX RCPTMAX= MAILMAX=x RCPTDOMAINMAX=-1", {}),
        (b"LIMITS RCPTMAX=9999999", {}),
        (b"LIMITS", {}),
    ],
    ids=["two", "case", "without-sense", "too-long", "none"],
)
def test_limits_without_sense_are_none(line: bytes, limits: dict[bytes, int]) -> None:
    assert offers(line).limits == limits


def test_ignored_keyword_counts_as_not_offered() -> None:
    lines = (b"mx", b"pipelining", b"chunking", b"AUTH=PLAIN")
    found = parse_extensions(lines, ignored=(b"CHUNKING", b"AUTH"))
    assert list(found.keywords) == [b"PIPELINING"]
    assert found.auth_mechanisms == ()
    assert found.lines == lines


def test_extensions_show_their_lines() -> None:
    assert repr(parse_extensions((b"mx",))) == "Extensions((b'mx',))"
