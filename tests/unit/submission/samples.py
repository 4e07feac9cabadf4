"""A configuration, a submitter, requests and a journal that remembers, for tests of submissions."""

from __future__ import annotations

from typing import Any

from pysendmail.config.keys import Config
from pysendmail.message.aliases import Aliases
from pysendmail.message.content import Content
from pysendmail.message.outcome import Outcome
from pysendmail.relay.attempt import Attempt
from pysendmail.relay.policy import RECIPIENT
from pysendmail.submission.accept import Accepted, accept
from pysendmail.submission.request import Request
from pysendmail.submission.submitter import Submitter

QUEUE_ID = "00000000000001"
NOW = 1_700_000_000.0
CONFIG = Config(origin=b"example.org", hostname=b"host.example.org", aliases="/nonexistent/aliases")
JOE = Submitter(1000, b"joe", b"Joe Doe")
TEXT = b"Subject: report\n\nall is well\n"


class FakeJournal:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.facts: list[dict[str, Any]] = []

    def event(self, queue_id: str, event: str, **facts: Any) -> None:
        self.events.append((queue_id, event))
        self.facts.append(facts)

    def outcomes(self, queue_id: str, outcomes: list[Outcome], **facts: Any) -> None:
        self.events += [(queue_id, outcome.kind) for outcome in outcomes]

    def spool_trouble(self, error: Exception) -> None:
        self.event("", "spool trouble", said=str(error))

    def names(self) -> list[str]:
        return [event for _, event in self.events]


def raw(text: bytes = TEXT) -> Content:
    content = Content()
    content.write(text)
    return content


def request(*operands: bytes, **options: Any) -> Request:
    return Request(queue_id=options.pop("queue_id", QUEUE_ID), operands=operands, **options)


def accepted(
    *operands: bytes,
    text: bytes = TEXT,
    config: Config = CONFIG,
    aliases: Aliases | None = None,
    submitter: Submitter = JOE,
    measured: bool = False,
    **options: Any,
) -> Accepted:
    """Return what `accept` makes of a request with these operands and options.

    `measured`: its size has been looked at before.
    """
    return accept(
        request(*operands, **options),
        raw(text),
        submitter,
        config=config,
        aliases=aliases or Aliases(),
        now=NOW,
        content=Content,
        limit=None if measured else config.message_size,
    )


def ended(*outcomes: Outcome, tried: bool = True, reach: str = RECIPIENT) -> Attempt:
    return Attempt(list(outcomes), tried=tried, reach=reach)
