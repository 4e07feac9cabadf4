"""The smarthost's certificate, from an authority of the benchmark's own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import trustme

from tests.bench import link


class Certificate:
    """`chain`: PEM of key and certificates, for the server; `authority`: PEM file to trust."""

    def __init__(self) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1", link.SERVER)
        parts = (issued.private_key_pem, *issued.cert_chain_pems)
        self.chain = b"".join(part.bytes() for part in parts)
        self.authority = Path(tempfile.mkdtemp(prefix="authority-")) / "ca.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        self.authority.parent.chmod(0o755)
        self.authority.chmod(0o644)
