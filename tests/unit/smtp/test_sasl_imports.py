"""What a login loads: the direct door pays for every module, so a mechanism loads only its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
DEAR = {"hashlib", "hmac", "secrets", "re", "json", "stringprep", "unicodedata", "gssapi"}

LOGIN = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pysendmail.smtp import Client, Credentials, SmtpError
from pysendmail.smtp.sasl import MECHANISMS, Parameters
class Peer:
    def read(self, size): return lines.pop(0)
    def write(self, octets): return len(octets)
user, name, *lines = [argument.encode() for argument in sys.argv[1:]]
lines = [line + b"\\r\\n" for line in (b"220 mx", *lines)]
parameters = Parameters([(b"digest-uri", b"smtp/mx", False)])
try:
    Client(Peer(), Peer()).auth(MECHANISMS[name](Credentials(user, b"p", token=b"t"), parameters))
except SmtpError:
    pass
print(*sorted(sys.modules))
"""


def loaded(*arguments: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-IS", "-c", LOGIN, *arguments],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return set(result.stdout.split())


CHALLENGE = "334 bm9uY2U9Im4iLGFsZ29yaXRobT1tZDUtc2Vzcw=="


@pytest.mark.parametrize(
    ("arguments", "dear"),
    [
        (("u", "PLAIN", "235 ok"), set()),
        (("u", "LOGIN", "334 ", "334 ", "235 ok"), set()),
        (("u", "EXTERNAL", "235 ok"), set()),
        (("u", "OAUTHBEARER", "235 ok"), set()),
        (("u", "XOAUTH2", "334 e30=", "535 no"), {"json", "re"}),
        (("u", "CRAM-MD5", "334 YQ==", "235 ok"), {"hmac", "hashlib"}),
        (("u", "DIGEST-MD5", CHALLENGE, "535 no"), {"hmac", "hashlib", "re"}),
        (("u", "SCRAM-SHA-256", "535 no"), {"hmac", "hashlib"}),
        (("ü", "SCRAM-SHA-1", "535 no"),
         {"hmac", "hashlib", "stringprep", "unicodedata"}),
    ],
)  # fmt: skip
def test_login_loads_only_what_its_mechanism_needs(
    arguments: tuple[str, ...], dear: set[str]
) -> None:
    modules = loaded(*arguments)
    assert "pysendmail.smtp.sasl.plain" in modules
    assert DEAR & modules <= dear
    if not dear:
        assert not [name for name in modules if "scram" in name or "md5" in name]
