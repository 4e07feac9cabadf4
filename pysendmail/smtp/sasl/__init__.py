"""SASL mechanisms: small generators that know nothing of SMTP.

`Mechanism` is the shape, `MECHANISMS` the table, `exchange.authenticate` the AUTH dialogue that
drives one (RFC 4954). Over a link whose server is not verified, only mechanisms that do not give
the secret away (`reveals_secret` false) may be used; `smtp.authenticate` sees to that.
"""

from __future__ import annotations

from .login import Login
from .mechanism import Credentials, Mechanism
from .plain import Plain

__all__ = ["DEFAULT_MECHANISMS", "MECHANISMS", "Credentials", "Login", "Mechanism", "Plain"]

MECHANISMS: dict[bytes, type[Mechanism]] = {b"PLAIN": Plain, b"LOGIN": Login}

# In the order of preference: what is chosen is the first of these that the server knows.
DEFAULT_MECHANISMS = (b"PLAIN", b"LOGIN")
