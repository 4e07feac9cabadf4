"""Drives a dialogue by a script and shows the first difference as a transcript.

    drive(hello(b"me"), "C: EHLO me", "S: 250-mx", "S: 250 SIZE")

"C:" is a line the dialogue must have written, "S:" one line of the server.  The dialogue is given a
reply when its last "S:" line is reached, and by then it must have written exactly the lines before
it: so the script also tells what travels together.  "S: <lost>" and "S: <slow>" throw the troubles
of a connection.  Body octets count as the lines they consist of.  What the dialogue tells before
its end goes into the list `told`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pysendmail.smtp.errors import ConnectionLost, TimedOut
from pysendmail.smtp.phases import Phase
from pysendmail.smtp.reply import ReplyParser
from pysendmail.smtp.steps import Mark, Told


class Difference(AssertionError):
    """The dialogue did something else than the script says."""


def drive(
    dialogue: Generator[Any, Any, Any], *script: str, told: list[Any] | None = None
) -> Any:
    """Run `dialogue` against `script`; return what it returns or raise what it raises."""
    conversation = _Conversation(script)
    answer = None
    try:
        step = next(dialogue)
        while True:
            answer = None
            if isinstance(step, Phase):
                answer = conversation.answer(step)
            elif isinstance(step, Told):
                assert told is not None
                told.append(step.value)
            elif isinstance(step, Mark):
                step.passed = True
            else:
                conversation.written(step if isinstance(step, bytes) else step.octets)
            if isinstance(answer, Exception):
                step = dialogue.throw(answer)
            else:
                step = dialogue.send(answer)
    except StopIteration as end:
        conversation.end()
        return end.value


class _Conversation:
    def __init__(self, script: tuple[str, ...]) -> None:
        self._script = list(script)
        self._said: list[str] = []
        self._position = 0

    def written(self, octets: bytes) -> None:
        assert octets.endswith(b"\r\n"), octets
        for line in octets.removesuffix(b"\r\n").split(b"\r\n"):
            self._said.append("C: " + line.decode())
            self._check()

    def answer(self, phase: Phase) -> Any:
        parser = ReplyParser()
        while True:
            line = self._expected()
            if not line.startswith("S: "):
                self._said.append(f"(waits: {phase.name})")
                self._check()
            self._said.append(line)
            self._position += 1
            if line == "S: <lost>":
                return ConnectionLost(phase.phrase, phase.after_end_of_data)
            if line == "S: <slow>":
                return TimedOut(phase.phrase, phase.after_end_of_data)
            parser.feed(line[3:].encode() + b"\r\n")
            reply = parser.next()
            if reply is not None:
                return reply

    def end(self) -> None:
        if self._position < len(self._script):
            self._said.append("(ends)")
            self._check()

    def _expected(self) -> str:
        return self._script[self._position] if self._position < len(self._script) else "(ends)"

    def _check(self) -> None:
        if self._said[-1] != self._expected():
            said = "\n".join(self._said)
            raise Difference(f"{said}\n  the script says here: {self._expected()}")
        self._position += 1
