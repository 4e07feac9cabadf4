"""The command line of sendmail: from argv, as bytes, to options.

The grammar is sendmail's own: it stops at the first operand, a value may be glued to its letter or
be the next word, letters without value may be clustered, and nothing is abbreviated or permuted.
What callers pass and we need not act on is accepted and ignored. Raises `Refused` (exit status 64)
for everything else, before anything is read from standard input or written anywhere.
"""

from __future__ import annotations

from pysendmail.message.outcome import printable
from pysendmail.submission import request as asked
from pysendmail.submission.exit_status import EX_USAGE, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence

DELIVER, LIST, ALIASES, FLUSH, NOTHING, HELP, VERSION = (
    "deliver", "list", "aliases", "flush", "nothing", "help", "version",
)  # fmt: skip

PROGRAMS = {
    b"mailq": LIST,
    b"newaliases": ALIASES,
    b"runq": FLUSH,
    b"hoststat": NOTHING,
    b"purgestat": NOTHING,
}
MODES = {
    b"m": DELIVER, b"p": LIST, b"i": ALIASES, b"h": NOTHING, b"H": NOTHING, b"q": DELIVER,
}  # fmt: skip

WITHOUT_VALUE = b"cGIimnsTtUvx46"
WITH_VALUE = b"ABCFfhLNOopRrVXbe"
ATTACHED_VALUE = b"dq"  # optional, and never the next word

DELIVERY_MODES = {
    b"i": asked.INTERACTIVE, b"f": asked.INTERACTIVE, b"b": asked.BACKGROUND,
    b"q": asked.QUEUE, b"d": asked.QUEUE,
}  # fmt: skip


class Options:
    """What a command line says.

    `mode` is one of the constants above; `sender` is None where none was given; `dots` tells
    whether a line of a single dot ends the message; `configuration` is the file named by -C, or
    None. The rest has the meaning of the same names in `Request`.
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


def parse_options(program: bytes, words: Sequence[bytes]) -> Options:
    """Return the options of a command line; `program` is the base name it was called by."""
    options = Options(PROGRAMS.get(program, DELIVER))
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
        if letter in WITHOUT_VALUE:
            set_flag(options, letter)
        elif letter in ATTACHED_VALUE:
            set_attached(options, letter, letters)
            return
        elif letter in WITH_VALUE:
            if not letters and not rest:
                raise usage(b"option requires an argument -- '%b'" % letter)
            set_value(options, letter, letters or rest.pop(0))
            return
        else:
            raise usage(b"invalid option -- '%b'" % letter)


def set_flag(options: Options, letter: bytes) -> None:
    """Act on a letter without value; the others are those that only need to be accepted."""
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
    if letter == b"d":
        if value.startswith(b"0"):
            options.mode = VERSION
    elif value in (b"", b"f"):
        options.mode = FLUSH
    else:
        raise usage(b"-q%b is not supported" % value)


def set_value(options: Options, letter: bytes, value: bytes) -> None:
    """Act on a letter with its value; -p and -X are accepted, and what they name is never used."""
    if letter in b"fr":
        options.sender = value
    elif letter == b"F":
        options.full_name = value
    elif letter == b"L":
        options.tag = value[:32]
    elif letter == b"C":
        options.configuration = value
    elif letter == b"b":
        set_mode(options, value)
    elif letter == b"o":
        set_old_option(options, value)
    elif letter == b"O":
        set_long_option(options, value)
    elif letter == b"e":
        options.error_mode = one_of(value[:1], asked.ERROR_MODES, b"-e")
    elif letter == b"B":
        options.body_type = one_of(value.upper(), asked.BODY_TYPES, b"-B")
    elif letter == b"N":
        options.notify = parse_notify(value)
    elif letter == b"R":
        options.ret = one_of(value.upper(), asked.RETURNS, b"-R")
    elif letter == b"V":
        options.envid = parse_envid(value)
    elif letter == b"h":
        if not value.isdigit() or len(value) > 6:
            raise usage(b"-h: a number was expected, not '%b'" % value)
        options.hops = int(value)
    elif letter == b"A":
        one_of(value, (b"c", b"m"), b"-A")


def set_mode(options: Options, value: bytes) -> None:
    """Act on -b; the last one wins, over the program's name too."""
    if value not in MODES:
        raise usage(b"-b%b is not supported" % value)
    options.mode = MODES[value]
    if value == b"q":
        options.delivery_mode = asked.QUEUE


def set_old_option(options: Options, value: bytes) -> None:
    """Act on -o: of the old one-letter options only these still mean something."""
    letter, rest = value[:1], value[1:]
    if letter == b"i":
        options.dots = False
    elif letter == b"v":
        options.verbose = True
    elif letter == b"d" and rest:
        options.delivery_mode = DELIVERY_MODES[one_of(rest[:1], DELIVERY_MODES, b"-od")]
    elif letter == b"e" and rest:
        options.error_mode = one_of(rest[:1], asked.ERROR_MODES, b"-oe")


def set_long_option(options: Options, value: bytes) -> None:
    """Act on -O name=value; names are compared without regard to case, as sendmail does."""
    name, _, rest = value.partition(b"=")
    name = name.strip().lower()
    rest = rest.strip()
    if name == b"ignoredots":
        options.dots = rest[:1].lower() in (b"f", b"n", b"0")
    elif name == b"deliverymode":
        options.delivery_mode = DELIVERY_MODES[one_of(rest[:1], DELIVERY_MODES, b"-O DeliveryMode")]
    elif name == b"errormode":
        options.error_mode = one_of(rest[:1], asked.ERROR_MODES, b"-O ErrorMode")


def take_operands(options: Options, operands: list[bytes], *, literal: bool) -> None:
    """Take the recipients, and refuse what cannot be meant."""
    if options.mode in (HELP, VERSION, NOTHING):
        return
    if options.mode != DELIVER and (operands or options.from_header):
        raise usage(b"no recipients can be given here")
    for operand in operands:
        if not operand:
            raise usage(b"an empty recipient")
        if operand.startswith(b"-") and not literal:
            raise usage(b"'%b' after a recipient: put -- before addresses that begin so" % operand)
    if options.mode == DELIVER and not operands and not options.from_header:
        raise usage(b"recipient names must be specified")
    options.operands = tuple(operands)


def parse_notify(value: bytes) -> tuple[bytes, ...]:
    """Return the words of -N in upper case (RFC 3461 section 4.1)."""
    words = tuple(word.strip() for word in value.upper().split(b","))
    for word in words:
        one_of(word, asked.NOTIFY, b"-N")
    if b"NEVER" in words and len(words) > 1:
        raise usage(b"-N never stands alone")
    return words


def parse_envid(value: bytes) -> bytes:
    """Return the envelope id of -V; callers give it plain or as xtext (RFC 3461 section 4)."""
    envid = without_xtext(value)
    if not asked.is_envid(envid):
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


def one_of(value: bytes, choices: Container[bytes], option: bytes) -> bytes:
    """Return `value` where it is one of the choices."""
    if value not in choices:
        raise usage(b"%b: '%b' is not known" % (option, value))
    return value


def usage(text: bytes) -> Refused:
    """Return the error for a command line that cannot be obeyed."""
    return Refused(EX_USAGE, printable(text))
