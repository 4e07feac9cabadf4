"""What sendmail can be asked to do: the modes of -b, and the names it is called by."""

from __future__ import annotations

from pysendmail.command.usage import usage

DELIVER, SMTP, VERIFY = "deliver", "smtp", "verify"
LIST, COUNT, FLUSH, RUNNER = "list", "count", "flush", "runner"
DAEMON, FOREGROUND = "daemon", "foreground"
ALIASES, CHECK = "aliases", "check"
NOTHING, HELP, VERSION = "nothing", "help", "version"

# By the base name of the path that was executed. rmail (UUCP's door) says more: see `Options`.
PROGRAMS = {
    b"mailq": LIST,
    b"newaliases": ALIASES,
    b"runq": FLUSH,
    b"smtpd": DAEMON,
    b"hoststat": NOTHING,
    b"purgestat": NOTHING,
    b"rmail": DELIVER,
    b"send-mail": DELIVER,
}

# By what follows -b. The others that some sendmail knows are refused: a mode that was asked for and
# is not there must not end as a message read from standard input.
MODES = {
    b"m": DELIVER, b"q": DELIVER, b"s": SMTP, b"v": VERIFY,
    b"p": LIST, b"P": COUNT, b"pc": COUNT,
    b"d": DAEMON, b"l": DAEMON, b"D": FOREGROUND,
    b"i": ALIASES, b"C": CHECK, b"h": NOTHING, b"H": NOTHING,
}  # fmt: skip

TAKES_RECIPIENTS = (DELIVER, VERIFY)
DAEMONS = (DAEMON, FOREGROUND)
LISTINGS = (LIST, COUNT)


def mode_of(value: bytes) -> str:
    """Return the mode that -b names; raises Refused."""
    if value not in MODES:
        raise usage(b"-b%b is not supported" % value)
    return MODES[value]
