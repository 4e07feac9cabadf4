"""The log: one line for each event, `queue-id: event key=value …`, made printable, without secrets.

Three forms: `syslog`, `stderr` (with the priority in front where systemd's journal reads it) and
`json`, one object a line on standard error. Logging never fails: a log that cannot be written loses
the line, never the message.
"""

from __future__ import annotations

import os
import syslog
import time

from pysendmail.message.outcome import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pysendmail.message.outcome import Outcome

    Fact = bytes | str | int | float

SYSLOG, STDERR, JSON = "syslog", "stderr", "json"

# What is shown as it is: no blank, quote, equals sign or backslash, and not too long.
PLAIN = bytes(set(range(0x21, 0x7F)) - set(b'"=\\'))
PLAIN_LIMIT = 500

INFO, WARNING, ERROR = syslog.LOG_INFO, syslog.LOG_WARNING, syslog.LOG_ERR


class Journal:
    """Writes events in one of the forms; `program` names us in them."""

    __slots__ = ("_form", "_program", "_to_journald")

    def __init__(self, form: str, program: str, environ: Mapping[str, str]) -> None:
        self._form = form
        self._program = program
        self._to_journald = "JOURNAL_STREAM" in environ
        if form == SYSLOG:
            syslog.openlog(program, syslog.LOG_PID, syslog.LOG_MAIL)

    def event(self, queue_id: str, event: str, *, priority: int = INFO, **facts: Fact) -> None:
        """Write one event; `queue_id` is empty for what concerns no single message."""
        if self._form == JSON:
            self._write_json(queue_id, event, priority, facts)
            return
        pairs = "".join([f" {name}={shown(fact)}" for name, fact in facts.items()])
        line = f"{queue_id}: {event}{pairs}" if queue_id else f"{event}{pairs}"
        if self._form == SYSLOG:
            syslog.syslog(priority, line)
        elif self._to_journald:
            write_error(f"<{priority}>{line}\n")
        else:
            write_error(f"{self._program}: {line}\n")

    def outcomes(
        self, queue_id: str, outcomes: Sequence[Outcome], *, arrived: float, now: float
    ) -> None:
        """Write what became of each recipient in one attempt."""
        for outcome in outcomes:
            self.event(
                queue_id,
                outcome.kind + (" (may be duplicate)" if outcome.maybe_duplicate else ""),
                to=outcome.recipient,
                smarthost=outcome.remote or b"-",
                status=outcome.status,
                delay=round(max(now - arrived, 0.0), 2),
                said=outcome.text,
            )

    def spool_trouble(self, error: Exception) -> None:
        """Write that the spool does not do what it should."""
        self.event("", "spool trouble", priority=WARNING, said=str(error))

    def _write_json(
        self, queue_id: str, event: str, priority: int, facts: Mapping[str, Fact]
    ) -> None:
        import json

        record: dict[str, object] = {"time": round(time.time(), 3), "priority": priority}
        if queue_id:
            record["queue_id"] = queue_id
        record["event"] = event
        for name, fact in facts.items():
            record[name] = fact.decode("utf-8", "replace") if isinstance(fact, bytes) else fact
        write_error(json.dumps(record) + "\n")


def shown(fact: Fact) -> str:
    """Return a fact as the right side of `key=value`: printable, quoted where it holds blanks."""
    if isinstance(fact, int | float):
        return str(fact)
    data = fact.encode("utf-8", "backslashreplace") if isinstance(fact, str) else fact
    if 0 < len(data) <= PLAIN_LIMIT and not data.translate(None, PLAIN):
        return data.decode("ascii")
    text = printable(data).decode("utf-8", "backslashreplace")
    if not text or " " in text or '"' in text or "=" in text:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return text


def write_error(line: str) -> None:
    """Write to standard error in one piece, whatever became of it."""
    try:
        os.write(2, line.encode("utf-8", "backslashreplace"))
    except OSError:
        pass  # nobody reads the log; that must not stop the mail
