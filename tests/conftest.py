"""Fixtures for all tests: a certificate authority of their own, and no configuration."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from hypothesis import HealthCheck, settings

from etc.installer.files import closed_to_others
from tests.helpers.installed import REPOSITORY

# A busy machine is no fault of an example.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_sessionstart() -> None:
    """End where nobody but root gets to the checkout: root's tests run programs as other users."""
    if os.geteuid() == 0 and (closed := closed_to_others(str(REPOSITORY))):
        pytest.exit(
            f"only root gets to {REPOSITORY} (see the mode of {closed}), and as root the tests "
            "run programs as other users, too: have the checkout elsewhere",
            returncode=pytest.ExitCode.USAGE_ERROR,
        )


@pytest.fixture(scope="session", autouse=True)
def _no_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests from the configuration of this machine, who may have pysendmail installed.

    A test that says nothing of a smarthost would send by the machine's.
    """
    nowhere = str(tmp_path_factory.mktemp("configuration") / "pysendmail.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pysendmail.config.defaults.CONFIG_PATH", nowhere)
        patch.setattr("pysendmail.config.load.CONFIG_PATH", nowhere)
        yield


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """The authority that signs every certificate of a test."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the authority's certificate, as `ca_file` of the configuration wants it."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="session")
def server_tls_context(ca: trustme.CA) -> Callable[[str], ssl.SSLContext]:
    """Make a server's TLS context with a certificate for a name."""

    def make(name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(name).configure_cert(context)
        return context

    return make
