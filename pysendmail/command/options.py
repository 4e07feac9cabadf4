"""The command line of sendmail: from argv, as bytes, to options.

The grammar is sendmail's own: it stops at the first operand, a value may be glued to its letter or
be the next word, letters without value may be clustered, and nothing is abbreviated or permuted.
What callers pass and we need not act on is accepted and ignored. Raises `Refused` (exit status 64)
for everything else, before anything is read from standard input or written anywhere.

docs/dialect.md has every letter beside what other mail programs make of it; a test holds it against
the tables here, in `modes`, `o_options` and `queue_run`.
"""

from __future__ import annotations

from pysendmail.command.modes import (
    ALIASES,
    DELIVER,
    HELP,
    NOTHING,
    PROGRAMS,
    TAKES_RECIPIENTS,
    VERSION,
    mode_of,
)
from pysendmail.command.o_options import error_mode_of, set_long_option, set_old_option
from pysendmail.command.usage import one_of, usage
from pysendmail.submission import request as asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FLAGS, IGNORED_FLAGS = b"GIintv", b"cmsTUx46"
VALUES, IGNORED_VALUES = b"BCFLNORVbefhor", b"ApX"  # the next word, or glued to the letter
ATTACHED_VALUES = b"dq"  # optional, and never the next word

TAG_LIMIT = 32
TAG_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"


class Options:
    """What a command line says.

    `mode` is one of the constants in `modes`; `sender` is None where none was given; `dots` tells
    whether a line of a single dot ends the message; `configuration` is the file named by -C, or
    None. Of -q: `interval` in seconds, 0 where none was given; `filters` as they were written
    behind it; `wait` tells whether a run of the queue is to be waited for. The rest has the meaning
    of the same names in `Request`.
    """

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.sender: bytes | None = None
        self.operands: tuple[bytes, ...] = ()
        self.from_header = False
        self.full_name = b""
        self.body_type = b""
        self.notify: tuple[bytes, ...] = ()
        self.ret = b""
        self.envid = b""
        self.gateway = False
        self.literal = False
        self.dots = True
        self.delivery_mode = b""
        self.error_mode = asked.PRINT
        self.verbose = False
        self.hops = 0
        self.tag = b""
        self.configuration: bytes | None = None
        self.interval = 0
        self.filters: tuple[bytes, ...] = ()
        self.wait = False


def parse_options(program: bytes, words: Sequence[bytes]) -> Options:
    """Return the options of a command line; `program` is the base name it was called by."""
    options = Options(PROGRAMS.get(program, DELIVER))
    if program == b"rmail":  # mail that comes in from elsewhere, by a program that reads no answer
        options.dots, options.gateway, options.error_mode = False, True, asked.ALWAYS_OK
    rest = list(words)
    literal_operands = False
    while rest and rest[0].startswith(b"-") and rest[0] != b"-":
        word = rest.pop(0)
        if word == b"--":
            literal_operands = True
            break
        if word.startswith(b"--"):
            parse_long(options, word)
        else:
            parse_cluster(options, word[1:], rest)
    take_operands(options, rest, literal=literal_operands)
    return options


def parse_long(options: Options, word: bytes) -> None:
    """Act on one of the two options that have a long name."""
    if word not in (b"--help", b"--version"):
        raise usage(b"unrecognized option '%b'" % word)
    options.mode = HELP if word == b"--help" else VERSION


def parse_cluster(options: Options, letters: bytes, rest: list[bytes]) -> None:
    """Act on the letters of one word; a letter with a value takes what is left of it, or the next
    word.
    """
    while letters:
        letter, letters = letters[:1], letters[1:]
        if letter in FLAGS:
            set_flag(options, letter)
        elif letter in IGNORED_FLAGS:
            continue
        elif letter in ATTACHED_VALUES:
            set_attached(options, letter, letters)
            return
        elif letter in VALUES or letter in IGNORED_VALUES:
            if not letters and not rest:
                raise usage(b"option requires an argument -- '%b'" % letter)
            set_value(options, letter, letters or rest.pop(0))
            if letter == b"o" and letters == b"A" and options.mode == ALIASES and rest:
                rest.pop(0)  # newaliases -oA FILE: nowhere else is the file another word
            return
        else:
            raise usage(b"invalid option -- '%b'" % letter)


def set_flag(options: Options, letter: bytes) -> None:
    """Act on a letter without value."""
    if letter == b"t":
        options.from_header = True
    elif letter == b"i":
        options.dots = False
    elif letter == b"v":
        options.verbose = True
    elif letter == b"G":
        options.gateway = True
    elif letter == b"n":
        options.literal = True
    elif letter == b"I":
        options.mode = ALIASES


def set_attached(options: Options, letter: bytes, value: bytes) -> None:
    """Act on -q and -d, whose value is never another word."""
    if letter == b"q":
        from pysendmail.command.queue_run import set_queue_run  # no submission needs it

        set_queue_run(options, value)
    elif value.startswith(b"0"):
        options.mode = VERSION


def set_value(options: Options, letter: bytes, value: bytes) -> None:
    """Act on a letter with its value; -p and -X are accepted, and what they name is never used."""
    if letter in b"fr":
        options.sender = value
    elif letter == b"F":
        options.full_name = value
    elif letter == b"L":
        options.tag = tag_of(value)
    elif letter == b"C":
        options.configuration = value
    elif letter == b"b":
        options.mode = mode_of(value)
        if value == b"q":
            options.delivery_mode = asked.QUEUE
    elif letter == b"o":
        set_old_option(options, value)
    elif letter == b"O":
        set_long_option(options, value)
    elif letter == b"e":
        options.error_mode = error_mode_of(value, b"-e")
    elif letter == b"B":
        options.body_type = one_of(value.upper(), asked.BODY_TYPES, b"-B")
    elif letter == b"N":
        options.notify = parse_notify(value)
    elif letter == b"R":
        options.ret = one_of(value.upper(), asked.RETURNS, b"-R")
    elif letter == b"V":
        options.envid = parse_envid(value)
    elif letter == b"h":
        options.hops = parse_hops(value)
    elif letter == b"A":
        one_of(value, (b"c", b"m"), b"-A")


def take_operands(options: Options, operands: list[bytes], *, literal: bool) -> None:
    """Take the recipients, and refuse what cannot be meant."""
    if options.mode in (HELP, VERSION, NOTHING):
        return
    if options.mode not in TAKES_RECIPIENTS and operands:
        raise usage(b"no recipients can be given here")
    if options.mode != DELIVER and options.from_header:
        raise usage(b"-t has no meaning here")
    for operand in operands:
        if not operand:
            raise usage(b"an empty recipient")
        if operand.startswith(b"-") and not literal:
            raise usage(b"'%b' after a recipient: put -- before addresses that begin so" % operand)
    if options.mode in TAKES_RECIPIENTS and not operands and not options.from_header:
        raise usage(b"recipient names must be specified")
    options.operands = tuple(operands)


def tag_of(value: bytes) -> bytes:
    """Return the value of -L as a word that can stand in any log."""
    return bytes(byte if byte in TAG_CHARACTERS else ord("_") for byte in value[:TAG_LIMIT])


def parse_hops(value: bytes) -> int:
    """Return the number of -h."""
    if not value.isdigit() or len(value) > 6:
        raise usage(b"-h: a number was expected, not '%b'" % value)
    return int(value)


def parse_notify(value: bytes) -> tuple[bytes, ...]:
    """Return the words of -N in upper case, each once (RFC 3461 section 4.1)."""
    words = tuple(dict.fromkeys(word.strip() for word in value.upper().split(b",")))
    for word in words:
        one_of(word, asked.NOTIFY, b"-N")
    if b"NEVER" in words and len(words) > 1:
        raise usage(b"-N never stands alone")
    return words


def parse_envid(value: bytes) -> bytes:
    """Return the envelope id of -V; callers give it plain or as xtext (RFC 3461 section 4)."""
    from pysendmail.submission.request_parser import is_envid  # most callers give none

    envid = without_xtext(value)
    if not is_envid(envid):
        raise usage(b"-V: an envelope id is 1 to 100 printable characters")
    return envid


def without_xtext(value: bytes) -> bytes:
    """Return what an xtext stands for; anything that is none stands for itself."""
    plain, *escaped = value.split(b"+")
    for part in escaped:
        if len(part) < 2 or part[:2].strip(b"0123456789ABCDEF"):
            return value
        plain += bytes.fromhex(part[:2].decode()) + part[2:]
    return plain
