"""A smarthost in memory, and sessions over it: what an attempt needs, without a socket.

`Peer` is both streams of a client.  It answers each command by `answers`: the key is the verb, for
RCPT also the address, "." is the end of data; the value is a reply, `LOST` (the connection ends) or
`SLOW` (nothing more comes).
"""

from __future__ import annotations

from collections.abc import Sequence

from pysendmail.relay.offer import Away
from pysendmail.relay.policy import Rule
from pysendmail.relay.smarthost import NONE, Smarthost
from pysendmail.smtp import Client

LOST, SLOW = "<lost>", "<slow>"
OFFERS = ("mx", "PIPELINING", "SIZE 100000", "DSN")
USUAL = {"DATA": "354 go on", ".": "250 2.0.0 taken as 4711", "QUIT": "221 bye"}


class Peer:
    """A server of one connection; `messages` holds (recipients, octets) of what it has taken."""

    def __init__(
        self,
        answers: dict[str, str] | None = None,
        *,
        offers: Sequence[str] = OFFERS,
        most_recipients: int = 10_000,
    ) -> None:
        self.messages: list[tuple[list[str], bytes]] = []
        self.commands: list[str] = []
        self.closed = False
        self._answers = answers or {}
        self._offers = offers
        self._most = most_recipients
        self._recipients: list[str] = []
        self._received = b""
        self._in_data = False
        self._open = False
        self._waiting = [b"220 mx ready\r\n"]
        self._end: str | None = None

    def read(self, size: int) -> bytes:
        if self._waiting:
            return self._waiting.pop(0)
        if self._end == LOST:
            return b""
        raise TimeoutError

    def write(self, octets: memoryview) -> int:
        self._received += octets
        while self._end is None and (line := self._line()) is not None:
            self._take(line)
        return len(octets)

    def close(self) -> None:
        self.closed = True

    def _line(self) -> bytes | None:
        end = b"\r\n.\r\n" if self._in_data and not self._received.startswith(b".\r\n") else b"\r\n"
        if end not in self._received:
            return None
        line, _, self._received = self._received.partition(end)
        return line

    def _take(self, line: bytes) -> None:
        if self._in_data:
            self._in_data = False
            answer = self._answer(".")
            if answer.startswith("2"):
                self.messages.append((self._recipients, line))
            return
        command = line.decode("utf-8", "surrogateescape")
        self.commands.append(command)
        verb = command.split(":")[0].split()[0]
        if verb == "EHLO":
            last = self._offers[-1]
            for offer in self._offers[:-1]:
                self._waiting.append(f"250-{offer}\r\n".encode())
            self._waiting.append(f"250 {last}\r\n".encode())
        elif verb == "RCPT":
            self._rcpt(command[command.index("<") + 1 : command.index(">")])
        elif verb == "DATA" and not self._recipients:
            self._say("554 5.5.1 no valid recipients")
        else:
            answer = self._answer(verb)
            self._in_data = answer.startswith("354")
            if verb == "MAIL":
                self._recipients, self._open = [], answer.startswith("2")

    def _rcpt(self, address: str) -> None:
        if not self._open:
            self._say("503 5.5.1 MAIL first")
        elif len(self._recipients) >= self._most:
            self._say("452 4.5.3 too many recipients")
        elif self._answer("RCPT", address).startswith("2"):
            self._recipients.append(address)

    def _answer(self, verb: str, address: str = "") -> str:
        answer = self._answers.get(address) or self._answers.get(verb) or USUAL.get(verb, "250 ok")
        if answer in (LOST, SLOW):
            self._end = answer
        else:
            self._say(answer)
        return answer

    def _say(self, reply: str) -> None:
        self._waiting.append(reply.encode() + b"\r\n")


def session(peer: Peer) -> Client:
    """Return a client after EHLO."""
    client = Client(peer, peer)
    client.helo(b"client.example.org")
    return client


def smarthost(name: str) -> Smarthost:
    return Smarthost(name, 25, tls=NONE)


class Sessions:
    """Sessions by smarthost: each borrow takes the next of its list, and what is kept comes first.

    An item is a `Peer`, a client that is given as a warm one, or an exception to raise.
    """

    def __init__(self, **stock: list[Peer | Client | Exception]) -> None:
        self._stock = stock
        self._kept: dict[str, Client] = {}
        self.reports: list[tuple[str, Rule, bytes]] = []
        self.working: list[str] = []
        self.returned: list[Client] = []
        self.carried: list[int] = []
        self.most = 1000
        self.keeps = True
        self.others = 1000  # how many messages the rate has room for, but for those that borrow
        self.deadlines: list[float | None] = []

    def borrow(self, smarthost: Smarthost, deadline: float | None) -> tuple[Client, bool]:
        self.deadlines.append(deadline)
        kept = self._kept.pop(smarthost.host, None)
        if kept is not None:
            return kept, True
        stock = self._stock[smarthost.host]
        item = stock.pop(0) if stock else Away(b"nobody home")
        if isinstance(item, Exception):
            raise item
        return (session(item), False) if isinstance(item, Peer) else (item, True)

    def room(self, smarthost: Smarthost, client: Client) -> int:
        return self.most

    def another(self, smarthost: Smarthost) -> bool:
        self.others -= 1
        return self.others >= 0

    def give_back(self, smarthost: Smarthost, client: Client, messages: int) -> None:
        self.carried.append(messages)
        self.returned.append(client)
        if client.broken:
            client.close()
        elif self.keeps:
            self._kept[smarthost.host] = client

    def answered(self, smarthost: Smarthost) -> None:
        self.working.append(smarthost.host)

    def report(self, smarthost: Smarthost, rule: Rule, text: bytes) -> None:
        self.reports.append((smarthost.host, rule, text))
