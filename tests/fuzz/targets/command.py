"""The command line of sendmail."""

from __future__ import annotations

from pysendmail.command import modes, o_options, options, queue_run
from pysendmail.command.sendmail import request_of
from pysendmail.submission.exit_status import EX_USAGE, Refused
from pysendmail.submission.request import format_request
from pysendmail.submission.request_parser import parse_request, split_head
from tests.fuzz.targets.target import Target

MODES = {*modes.PROGRAMS.values(), *modes.MODES.values(), modes.RUNNER, modes.HELP, modes.VERSION}
QUEUE_ID = "0123456789ABCD"


def argv(octets: bytes) -> None:
    """Any words are options that can be obeyed, or refused in one line with status 64.

    What is asked for is understood by the daemon just as it was meant: a request that only we can
    read would be taken, with exit status 0, and then be lost.
    """
    program, *words = octets.split(b"\0")
    try:
        said = options.parse_options(program, words)
    except Refused as refused:
        assert refused.status == EX_USAGE
        assert refused.line.decode().isprintable()
        return
    assert vars(said) == vars(options.parse_options(program, words))
    assert said.mode in MODES
    check_operands(said, words)
    assert said.sender is None or any(word.endswith(said.sender) for word in words)
    assert said.configuration is None or any(word.endswith(said.configuration) for word in words)
    assert said.interval == 0 or queue_run.SHORTEST_S <= said.interval <= queue_run.LONGEST_S
    assert said.delivery_mode in (b"", *o_options.DELIVERY_MODES.values())
    assert said.tag.decode().isprintable()
    request = request_of(said, {}, queue_id=QUEUE_ID)
    _verb, records = split_head(format_request(request))
    assert parse_request(records) == request


def check_operands(said: options.Options, words: list[bytes]) -> None:
    """No operand is made up, and none may be an option that somebody meant."""
    count = len(said.operands)
    assert said.operands == tuple(words[len(words) - count :])
    assert all(said.operands)
    assert not count or said.mode in modes.TAKES_RECIPIENTS
    assert b"--" in words or not any(operand.startswith(b"-") for operand in said.operands)
    if said.mode in modes.TAKES_RECIPIENTS:
        assert count or said.from_header


TARGETS = (argv,)


def seeds() -> dict[Target, list[bytes]]:
    """Return inputs to begin with."""
    lines = (
        b"sendmail -i -f alice@example.com -- bob@example.com",
        b"sendmail -t -oi -oem -odb -F Alice -N success,delay,success -R hdrs -V id+2B1"
        b" -B8BITMIME -h3",
        b"sendmail -oeq -O DeliveryMode=q -OErrorMode=m -O IgnoreDots -Lcron -v -G -n a b",
        b"sendmail -bp -qRexample -q!Sroot", b"sendmail -bd -q1h30m", b"sendmail -qf -qIABC",
        b"newaliases -oA /etc/aliases", b"rmail bob", b"mailq", b"sendmail -bs -C/etc/x -X/tmp/log",
        b"sendmail --version", b"sendmail -d0.1", b"sendmail -bv -Ac -pUUCP:host -- -root",
    )  # fmt: skip
    return {argv: [line.replace(b" ", b"\0") for line in lines]}
