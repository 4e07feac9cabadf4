"""docs/dialect.md against the parser: what it lists is run, and everything there is is listed.

A row's first column holds the flags as they are written on a command line, the second begins with
the word for what becomes of them.
"""

from __future__ import annotations

import re
import shlex
import string
from pathlib import Path

import pytest

from pysendmail.command import modes, o_options, options
from pysendmail.command.options import Options, parse_options
from pysendmail.submission import request
from pysendmail.submission.exit_status import EX_USAGE, Refused

DOCUMENT = (Path(__file__).parents[3] / "docs/dialect.md").read_text()
ACTS, DEFAULT, IGNORED, SILENT, REFUSED = "acts", "default", "ignored", "silent", "refused"
COLUMNS = ["pysendmail", "Sendmail", "Postfix", "dma", "msmtp"]


def rows_of(heading: str) -> list[tuple[str, str]]:
    """Return (flag or name, our word) of each row of the table below a heading."""
    table = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = []
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            assert len(cells) == 1 + len(COLUMNS), line
            word = re.split(r"\W", cells[1])[0]
            rows += [(flag, word) for flag in re.findall(r"`([^`]+)`", cells[0])]
    assert rows, heading
    return rows


LETTERS = [row for row in rows_of("Letters") if row[1] != "see"]
FLAGS = [
    *LETTERS, *rows_of("Modes"), *rows_of("The queue run"), *rows_of("-o and -O"),
]  # fmt: skip
NAMES = rows_of("Names")


def parse(words: list[bytes], program: bytes = b"sendmail") -> Options:
    """Parse the words, with a recipient behind them where there has to be one."""
    try:
        return parse_options(program, [*words, b"bob"])
    except Refused as refused:
        if refused.line != b"no recipients can be given here":
            raise
        return parse_options(program, words)


def word_for(words: list[bytes], program: bytes = b"sendmail") -> str:
    """Return what the parser makes of them."""
    try:
        parsed = parse(words, program)
    except Refused as refused:
        assert refused.status == EX_USAGE
        return REFUSED
    if parsed.mode == modes.NOTHING:
        return SILENT
    return IGNORED if is_default(parsed) else ACTS


def is_default(parsed: Options) -> bool:
    """Tell whether nothing but the recipient was said."""
    facts = {**vars(Options(modes.DELIVER)), "operands": (b"bob",)}
    return vars(parsed) == facts


@pytest.mark.parametrize(("flag", "word"), FLAGS, ids=[flag for flag, _ in FLAGS])
def test_flag_does_what_the_document_says(flag: str, word: str) -> None:
    if flag == "--":
        assert parse([b"--", b"-x"]).operands == (b"-x", b"bob")
        return
    found = word_for([argument.encode() for argument in shlex.split(flag)])
    assert found == (IGNORED if word == DEFAULT else word)


@pytest.mark.parametrize(("name", "word"), NAMES, ids=[name for name, _ in NAMES])
def test_name_does_what_the_document_says(name: str, word: str) -> None:
    assert word_for([], name.encode()) == (IGNORED if word == DEFAULT else word)


def test_default_is_what_is_done_without_the_flag() -> None:
    assert Options(modes.DELIVER).error_mode == request.PRINT
    assert {flag for flag, word in FLAGS if word == DEFAULT} == {"-bm", "-oep", "-O ErrorMode=p"}


def test_every_letter_of_the_parser_stands_in_the_document() -> None:
    taken = (
        options.FLAGS + options.IGNORED_FLAGS + options.VALUES + options.IGNORED_VALUES
        + options.ATTACHED_VALUES
    )  # fmt: skip
    listed = {flag[1] for flag, _ in rows_of("Letters")} | {"b"}
    assert set(taken.decode()) <= listed


@pytest.mark.parametrize("letter", string.ascii_letters + string.digits + string.punctuation)
def test_letter_that_is_not_in_the_document_is_refused(letter: str) -> None:
    if letter not in {flag[1] for flag, _ in rows_of("Letters")} | {"b"}:
        assert word_for([b"-" + letter.encode()]) == REFUSED


def test_every_mode_and_name_of_the_parser_stands_in_the_document() -> None:
    listed = {flag.removeprefix("-b").encode() for flag, _ in rows_of("Modes")}
    assert modes.MODES.keys() <= listed
    assert {name.encode() for name, _ in NAMES} == modes.PROGRAMS.keys()


def test_every_option_of_o_that_acts_stands_in_the_document() -> None:
    acting = {flag for flag, word in rows_of("-o and -O") if word != IGNORED}
    assert {flag[2].encode() for flag in acting if flag.startswith("-o")} == {
        b"%c" % letter for letter in o_options.LETTERS
    }
    names = {flag[3:].partition("=")[0].lower().encode() for flag in acting if flag[1] == "O"}
    assert names == set(o_options.NAMES)
    delivery = {flag[3:].encode() for flag in acting if flag.startswith("-od")}
    assert delivery - {b"x"} == o_options.DELIVERY_MODES.keys()
    errors = {flag[3:].encode() for flag in acting if flag.startswith("-oe")}
    assert errors - {b"x"} == set(request.ERROR_MODES)


def test_tables_have_the_same_programs() -> None:
    for line in DOCUMENT.splitlines():
        if "| pysendmail |" in line:
            assert line.split("| pysendmail |")[1].strip("| ").split(" | ") == COLUMNS[1:]
