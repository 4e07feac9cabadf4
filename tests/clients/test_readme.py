"""The README tells which programs are known to send through us: those that do it here."""

from __future__ import annotations

from tests.clients import test_libraries, test_mail_programs, test_system_programs
from tests.helpers.installed import REPOSITORY


def test_readme_names_every_caller() -> None:
    tables = (test_mail_programs, test_libraries, test_system_programs)
    programs = {caller.name.partition(",")[0] for table in tables for caller in table.CALLERS}
    text = " ".join((REPOSITORY / "README.md").read_text().split())
    assert not {program for program in programs if program not in text}
