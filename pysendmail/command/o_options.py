"""-o and -O: sendmail's options with one letter and with a name.

Few of them still mean something: how the message is delivered, how errors are told, what a dot
does. The others are settings of a queue, a daemon or a map that are not here, and programs pass
them from habit: they are ignored with their values. One is refused, because ignoring it would break
a promise.
"""

from __future__ import annotations

from pysendmail.command.usage import one_of, usage
from pysendmail.submission import request as asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.command.options import Options

DELIVERY_MODES = {
    b"i": asked.INTERACTIVE, b"f": asked.INTERACTIVE, b"b": asked.BACKGROUND,
    b"q": asked.QUEUE, b"d": asked.QUEUE,
}  # fmt: skip

# What acts here: the letters of -o, the names of -O (in lower case).
LETTERS = b"deiv"
NAMES = (b"deliverymode", b"errormode", b"ignoredots", b"requiretls")


def set_old_option(options: Options, value: bytes) -> None:
    """Act on -o: a letter, and what is left as its value."""
    letter, rest = value[:1], value[1:]
    if letter == b"i":
        options.dots = False
    elif letter == b"v":
        options.verbose = True
    elif letter == b"d" and rest:
        options.delivery_mode = delivery_mode_of(rest, b"-od")
    elif letter == b"e" and rest:
        options.error_mode = error_mode_of(rest, b"-oe")


def set_long_option(options: Options, value: bytes) -> None:
    """Act on -O name=value; names are compared without regard to case, as sendmail does."""
    name, _, rest = value.partition(b"=")
    name, rest = name.strip().lower(), rest.strip()
    if name == b"ignoredots":
        options.dots = is_no(rest)
    elif name == b"deliverymode":
        options.delivery_mode = delivery_mode_of(rest, b"-O DeliveryMode")
    elif name == b"errormode":
        options.error_mode = error_mode_of(rest, b"-O ErrorMode")
    elif name == b"requiretls" and not is_no(rest):
        # RFC 8689 section 4.2.1: whoever cannot pass the demand on must not take the message
        raise usage(b"-O requiretls: the smarthost cannot be held to it")


def delivery_mode_of(value: bytes, option: bytes) -> bytes:
    """Return the delivery mode that a letter names; what follows it is ignored; raises Refused."""
    return DELIVERY_MODES[one_of(value[:1], DELIVERY_MODES, option)]


def error_mode_of(value: bytes, option: bytes) -> bytes:
    """Return the error mode that a letter names; raises Refused."""
    return one_of(value[:1], asked.ERROR_MODES, option)


def is_no(value: bytes) -> bool:
    """Tell whether the value of a switch turns it off; none at all turns it on."""
    return value[:1].lower() in (b"f", b"n", b"0")
