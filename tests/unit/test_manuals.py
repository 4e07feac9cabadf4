"""The manual pages against the code: options, exit statuses, and mandoc's opinion."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pysendmail.command import modes, o_options, options
from pysendmail.submission import exit_status

ROOT = Path(__file__).parents[2]
MANUALS = sorted((ROOT / "docs/man").iterdir())

TOOLS = {
    "pysendmaild": ([],),
    "pysendmail": (
        [], ["check"], ["status"], ["queue"],
        *(["queue", action] for action in ("list", "show", "hold", "release", "delete", "flush")),
    ),
}  # fmt: skip


def manual(name: str) -> str:
    """Return the source of a manual page."""
    return (ROOT / "docs/man" / name).read_text()


def items(page: str) -> list[str]:
    """Return the heads of the list items of a page."""
    return re.findall(r"^\.It (.*)$", page, re.MULTILINE)


def flags(head: str) -> list[str]:
    """Return the options that the head of an item names: after Fl, and after commas that follow."""
    words = re.sub(r"\b(Ns|Ar|Op|Cm) [\w=]+", "", head).replace(",", " ").split()
    return [word for word in words if word != "Fl"] if words[:1] == ["Fl"] else []


def documented_statuses(name: str) -> set[int]:
    """Return the exit statuses that a page lists."""
    section = manual(name).partition(".Sh EXIT STATUS\n")[2].partition(".Sh ")[0]
    return {int(head) for head in items(section)}


def long_options(text: str) -> set[str]:
    """Return the long options that a help text or a page names."""
    return set(re.findall(r"--([a-z]+)", text.replace("Fl -", "--")))


@pytest.mark.parametrize("path", MANUALS, ids=lambda path: path.name)
def test_manual_has_no_mandoc_warning(path: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    linted = subprocess.run(
        ["mandoc", "-Tlint", "-W", "warning", path], capture_output=True, text=True, check=False
    )
    assert linted.stdout == ""


def test_sendmail_documents_exactly_the_letters_it_takes() -> None:
    taken = (
        options.FLAGS + options.IGNORED_FLAGS + options.VALUES + options.IGNORED_VALUES
        + options.ATTACHED_VALUES
    )  # fmt: skip
    letters = set(taken.decode())
    all_modes = {f"b{mode.decode()}" for mode in modes.MODES}
    documented = {flag for head in items(manual("sendmail.8")) for flag in flags(head)}
    assert {flag for flag in documented if len(flag) == 1} == letters - {"b"}
    assert {flag for flag in documented if flag.startswith("b")} == all_modes
    delivery = {f"od{mode.decode()}" for mode in o_options.DELIVERY_MODES} - {"odf"}  # Exim's odi
    assert {flag for flag in documented if flag.startswith("od")} == delivery


@pytest.mark.parametrize("program", modes.PROGRAMS)
def test_sendmail_documents_its_other_names(program: bytes) -> None:
    assert f".Nm {program.decode()}" in manual("sendmail.8")


def test_sendmail_documents_exactly_the_exit_statuses_of_the_code() -> None:
    statuses = {value for name, value in vars(exit_status).items() if name.startswith("EX_")}
    assert documented_statuses("sendmail.8") == statuses


@pytest.mark.parametrize("program", TOOLS)
def test_tool_documents_exactly_its_options(program: str) -> None:
    code = f"from pysendmail.command.{program} import main; main()"
    helps = "".join(
        subprocess.run(
            [sys.executable, "-c", code, *words, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for words in TOOLS[program]
    )
    page = manual(f"{program}.8")
    synopsis = page.partition(".Sh SYNOPSIS\n")[2].partition(".Sh ")[0]
    assert long_options("\n".join([synopsis, *items(page)])) == long_options(helps)


@pytest.mark.parametrize("program", TOOLS)
def test_tool_documents_the_exit_status_of_a_wrong_command_line(program: str) -> None:
    code = f"from pysendmail.command.{program} import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--nonsense"], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode in documented_statuses(f"{program}.8")
