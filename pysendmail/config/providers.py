"""Providers: which senders each of them takes, and what the key `provider` therefore stands for.

A preset only fills in keys that are not set, by the rules of this one table; docs/identity.md shows
it to people (a test compares the two).
"""

from __future__ import annotations

from pysendmail.config.values import parse_address

ALL, FOREIGN = "all", "foreign"
SCOPES = (ALL, FOREIGN)


class Preset:
    """What is filled in: `rewrite`, and with `account` also `sender` and `from` by the user."""

    __slots__ = ("account", "rewrite")

    def __init__(self, rewrite: str, *, account: bool) -> None:
        self.rewrite = rewrite
        self.account = account

    def __repr__(self) -> str:
        return f"Preset({self.rewrite!r}, account={self.account})"


# Mailbox providers: a login is for one address, and mail goes out under that one or not at all
# (Gmail writes it into the message itself).
MAILBOX = Preset(ALL, account=True)
# Services for mail of applications: any address of a domain that was verified there, in the
# envelope, From and Sender alike; the login is no address.
VERIFIED_DOMAIN = Preset(FOREIGN, account=False)

PRESETS: dict[str, Preset] = {
    "gmail": MAILBOX,
    "microsoft365": MAILBOX,
    "fastmail": MAILBOX,
    "icloud": MAILBOX,
    "yandex": MAILBOX,
    "zoho": MAILBOX,
    "ses": VERIFIED_DOMAIN,
    "brevo": VERIFIED_DOMAIN,
    "mailgun": VERIFIED_DOMAIN,
    "mailjet": VERIFIED_DOMAIN,
    "postmark": VERIFIED_DOMAIN,
    "sendgrid": VERIFIED_DOMAIN,
}

# By what a provider's smarthost is known: to remind people of the key, and for nothing else.
HOSTS = {
    "smtp.gmail.com": "gmail",
    "office365.com": "microsoft365",
    "fastmail.com": "fastmail",
    "mail.me.com": "icloud",
    "yandex.com": "yandex",
    "yandex.ru": "yandex",
    "zoho.com": "zoho",
    "zoho.eu": "zoho",
    "amazonaws.com": "ses",
    "brevo.com": "brevo",
    "mailgun.org": "mailgun",
    "mailjet.com": "mailjet",
    "postmarkapp.com": "postmark",
    "sendgrid.net": "sendgrid",
}


def provider_of(host: str) -> str:
    """Return the provider whose smarthost has this name, "" for none that is known."""
    labels = host.lower().split(".")
    for first in range(len(labels)):
        if found := HOSTS.get(".".join(labels[first:])):
            return found
    return ""


def filled_in(provider: str, user: bytes) -> dict[str, str | bytes]:
    """Return what a provider stands for, by attribute of `Config`; nothing for none."""
    preset = PRESETS.get(provider)
    if preset is None:
        return {}
    address = user if preset.account and b"@" in user and is_address(user) else b""
    return {"rewrite": preset.rewrite, "sender": address, "from_": address}


def is_address(user: bytes) -> bool:
    """Tell whether a name to log in with can be a sender."""
    try:
        return parse_address(user.decode("utf-8", "surrogateescape")) == user
    except ValueError:
        return False
