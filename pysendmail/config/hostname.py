"""The name of this machine, without asking the network: DNS has made callers wait a minute."""

from __future__ import annotations

import os

from pysendmail.config.values import parse_host

MAILNAME_PATH = "/etc/mailname"


def system_hostname(mailname_path: str = MAILNAME_PATH) -> bytes:
    """Return the best name the system knows for itself, always fit for EHLO."""
    try:
        with open(mailname_path, encoding="utf-8", errors="replace") as file:
            mailname = file.readline(256).strip()
    except OSError:
        mailname = ""
    return complete_hostname(os.uname().nodename, mailname)


def complete_hostname(nodename: str, mailname: str) -> bytes:
    """Return the node name, a bare one completed with the mail name (Debian's /etc/mailname).

    The mail name is often the full name of this very machine: then it is the answer.
    """
    name = nodename.strip().rstrip(".")
    if "." not in name and "." in mailname:
        name = mailname if mailname.startswith(f"{name}.") else f"{name}.{mailname}"
    for candidate in (name, nodename):
        try:
            return parse_host(candidate)
        except ValueError:
            pass
    return b"localhost"
