from __future__ import annotations

import sys

import pytest

from tests.unit.smtp.kerberos import Package


@pytest.fixture
def kerberos(monkeypatch: pytest.MonkeyPatch) -> Package:
    """Return the package in the place of `gssapi`, its class of contexts for a test to change."""
    package = Package()
    monkeypatch.setitem(sys.modules, "gssapi", package)
    return package
