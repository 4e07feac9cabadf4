"""pysendmail explain: what sendmail would do with a message, told and not done.

Takes sendmail's own command line and the message on standard input, and runs the very steps that a
submission goes through, up to the point where something would be sent or written. What this user
cannot read (the configuration, the aliases) is named, and the rest told as far as it goes.

All that comes from the message or the configuration is made printable; secrets are not even read.
"""

from __future__ import annotations

import os
import time

from pysendmail.command import modes
from pysendmail.command.options import parse_options
from pysendmail.command.private_configuration import use_private_configuration
from pysendmail.command.sendmail import MEMORY, request_of
from pysendmail.command.settings import may_write_spool, settings_of
from pysendmail.command.stdin import TooLarge, Unreadable, read_message, tell
from pysendmail.config.errors import UnreadableConfigError
from pysendmail.config.load import load
from pysendmail.config.secrets import credential_path
from pysendmail.message.alias_file import read_aliases
from pysendmail.message.aliases import Aliases, resolve
from pysendmail.message.content import Content
from pysendmail.message.lines import survey
from pysendmail.message.outcome import printable
from pysendmail.message.repair import to_seven_bit
from pysendmail.message.rewrite import is_signed, would_change
from pysendmail.relay.smarthost import IMPLICIT, NONE, OPPORTUNISTIC, REQUIRED, smarthosts_of
from pysendmail.smtp.transport.proxy import parse_proxy
from pysendmail.submission import accept as acceptance
from pysendmail.submission import mistakes
from pysendmail.submission.completion import completions
from pysendmail.submission.drop_door import drop_directory
from pysendmail.submission.exit_status import EX_IOERR, EX_OK, EX_USAGE, Refused, too_large
from pysendmail.submission.request import BACKGROUND, INTERACTIVE, QUEUE
from pysendmail.submission.senders import find_sender
from pysendmail.submission.socket_door import is_served
from pysendmail.submission.submitter import find_submitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pysendmail.config.keys import Config
    from pysendmail.config.load import Loaded
    from pysendmail.config.snapshot import PublicSettings
    from pysendmail.message.message import Field, Message
    from pysendmail.relay.smarthost import Smarthost
    from pysendmail.submission.request import Request
    from pysendmail.submission.submitter import Submitter

# The keys that decide about addresses.
ADDRESS_KEYS = (
    "origin", "root", "aliases", "local_domains", "unknown_local",
    "provider", "rewrite", "sender", "from", "identities",
)  # fmt: skip

TLS = {
    REQUIRED: "STARTTLS required",
    IMPLICIT: "TLS from the start",
    OPPORTUNISTIC: "STARTTLS where it is offered",
    NONE: "no TLS",
}
MODES = {
    INTERACTIVE: b"attempted at once, with the verdict as answer",
    BACKGROUND: b"spooled, and attempted at once",
    QUEUE: b"spooled until the next run of the queue",
}


def explain(words: Sequence[str]) -> int:
    """Explain the submission that this command line of sendmail would make; return its status."""
    options = parse_options(b"sendmail", [os.fsencode(word) for word in words])
    if options.mode == modes.HELP:
        tell(b"usage: pysendmail explain [options and recipients of sendmail] < message")
        return EX_OK
    if options.mode != modes.DELIVER:
        raise Refused(EX_USAGE, b"only the sending of a message can be explained")
    if options.configuration is not None:
        use_private_configuration(os.environ, os.fsdecode(options.configuration))
    settings, trouble = settings_of(os.environ)
    raw = Content(memory=MEMORY)
    try:
        read_message(raw, limit=settings["message_size"], dots=options.dots)
    except TooLarge as error:
        raise too_large(settings["message_size"]) from error
    except Unreadable as error:
        raise Refused(EX_IOERR, b"cannot read the message: %b" % str(error).encode()) from error
    if trouble:
        tell(b"note: " + printable(trouble))
    loaded, aliases = readable_configuration()
    try:
        for line in explained(
            request_of(options, os.environ, size=raw.size),
            raw,
            find_submitter(os.getuid()),
            loaded=loaded,
            aliases=aliases,
            now=time.time(),
        ):
            tell(line)
    except Refused as refused:
        tell(b"refused: %b (status %d)" % (refused.line, refused.status))
        return refused.status
    tell(b"\nway in")
    tell(b"  " + printable(way_in(settings, loaded).encode()))
    return EX_OK


def readable_configuration() -> tuple[Loaded, Aliases]:
    """Return what this user may read of configuration and aliases, and say what he may not."""
    try:
        loaded = load(os.environ)
    except UnreadableConfigError as error:
        tell(b"note: cannot be read by you, so it does not count here: " + shown(error.errors[0]))
        loaded = load(os.environ, file=False)
    try:
        aliases = read_aliases(loaded.config.aliases)
    except OSError as error:
        tell(b"note: cannot be read by you, so it does not count here: " + shown(str(error)))
        aliases = Aliases()
    return loaded, aliases


def explained(
    request: Request,
    raw: Content,
    submitter: Submitter,
    *,
    loaded: Loaded,
    aliases: Aliases,
    now: float,
) -> Iterator[bytes]:
    """Yield lines that tell what would become of a submission; raises Refused as `accept` does."""
    config = loaded.config
    accepted = acceptance.accept(
        request,
        raw,
        submitter,
        config=config,
        aliases=aliases,
        now=now,
        content=Content,
        limit=config.message_size,
    )
    given = mistakes.read(raw, limit=None, content=Content)
    yield b"configuration"
    yield from configuration_lines(loaded)
    yield b"\nenvelope"
    sender = find_sender(request, submitter, config)
    instead = b""
    if sender.envelope != sender.asked:
        instead = b", instead of <%b>" % printable(sender.asked, 300)
    yield b"  sender     <%b>%b" % (printable(sender.envelope, 300), instead)
    yield from recipient_lines(request, given, config, aliases)
    accepted.require_recipients()
    yield b"\nheader"
    steps = completions(request, given, submitter, sender, config=config, now=now, content=Content)
    before = given
    for reason, after in steps:
        for line in changes(before.fields, after.fields):
            yield b"  %b   [%b]" % (line, reason.encode())
        before = after
    if is_signed(given.fields):
        yield b"  signed: nothing else is changed"
        if would_change(given, sender.author_for):
            yield b"  warning: the smarthost may refuse the address in From"
    yield b"\nbody"
    yield from body_lines(given, accepted.message, eight_bit=accepted.envelope.eight_bit)
    yield b"\nroute"
    yield b"  " + MODES[accepted.mode]
    yield from route_lines(smarthosts_of(config, None))
    yield b"  size %d of at most %d octets" % (raw.size, config.message_size)


def configuration_lines(loaded: Loaded) -> Iterator[bytes]:
    """Yield what decides about addresses, and where it was said."""
    yield b"  file       " + shown(loaded.path if loaded.file else f"{loaded.path} (not used)")
    for name, text, source in loaded.changes():
        if name in ADDRESS_KEYS:
            yield b"  %b %b   [%b]" % (name.encode().ljust(10), shown(text), shown(source))


def recipient_lines(
    request: Request, message: Message, config: Config, aliases: Aliases
) -> Iterator[bytes]:
    """Yield who was asked for, and who gets it."""
    mailboxes, bad = mistakes.asked_recipients(request, message)
    local = acceptance.local_names(config, None if request.literal else aliases)
    for mailbox in mailboxes:
        found, failures = resolve([mailbox], local)
        asked = printable(mailbox.address, 300)
        told = [b"<%b>" % printable(address, 300) for address, _mailbox in found]
        told += [b"nobody: " + printable(failure.text) for failure in failures]
        for line in told:
            arrow = b"" if line == b"<%b>" % asked else asked + b" -> "
            yield b"  recipient  " + arrow + line
    for element in bad:
        yield b"  recipient  %b: the address cannot be read" % printable(element, 300)


def changes(before: Sequence[Field], after: Sequence[Field]) -> Iterator[bytes]:
    """Yield a line for each field that went (-) or came (+); one that changed does both."""
    kept, old = frozenset(after), frozenset(before)
    for field in before:
        if field not in kept:
            yield b"- " + printable(field.name + b": " + field.value, 300)
    for field in after:
        if field not in old:
            yield b"+ " + printable(field.name + b": " + field.value, 300)


def body_lines(given: Message, message: Message, *, eight_bit: bool) -> Iterator[bytes]:
    """Yield what is repaired in the body, and what cannot be."""
    yield b"  %d octets" % message.body.size
    if message.body.size != given.body.size:
        yield b"  parts with lines of more than 998 octets are encoded anew"
    if survey(message.chunks()).long_line:
        yield b"  warning: lines of more than 998 octets remain; the smarthost may refuse them"
    if eight_bit:
        yield b"  octets above 127: the smarthost is told (8BITMIME), or gets them encoded"
        seven_bit = to_seven_bit(message)
        if not all(chunk.isascii() for chunk in seven_bit.chunks()):
            yield b"  warning: not all can be encoded; a smarthost without 8BITMIME gets them raw"


def route_lines(smarthosts: Sequence[Smarthost]) -> Iterator[bytes]:
    """Yield the smarthosts in the order in which they are tried."""
    if not smarthosts:
        yield b"  no smarthost is configured: mail waits in the spool"
    for smarthost in smarthosts:
        login = smarthost.login
        facts = ["by LMTP"] if smarthost.lmtp else []
        facts.append(TLS[smarthost.tls])
        if smarthost.verify:
            facts.append("certificate verified")
        if smarthost.tls_config and smarthost.tls_config.pins:
            facts.append("pinned")
        if smarthost.proxy:
            facts.append(f"by way of {parse_proxy(smarthost.proxy)}")
        how = b"login " + printable(login.name) if login else b"no login"
        yield b"  smarthost  %b, %b, %b" % (printable(smarthost.name), shown(", ".join(facts)), how)


def way_in(settings: PublicSettings, loaded: Loaded) -> str:
    """Return the door that a call by this user would take now."""
    if is_served(settings["socket"]):
        return f"the daemon, at {settings['socket']}; an answer within {settings['wait']:g} seconds"
    if may_write_spool(settings["spool"]) and may_read_secret(loaded.config):
        return f"direct: no daemon runs, and you may write the spool {settings['spool']}"
    drop = drop_directory(settings["spool"])
    if os.access(drop, os.W_OK | os.X_OK):
        return f"no daemon runs: left in {drop}, for when one does"
    return f"none: no daemon runs, and you may not write {drop} (status 75)"


def may_read_secret(config: Config) -> bool:
    """Tell whether the file of password or token, where there is one, can be read; it is not."""
    name = config.password_file or config.token_file
    return not name or os.access(credential_path(name, os.environ), os.R_OK)


def shown(text: str) -> bytes:
    """Return a text as one printable line."""
    return printable(text.encode("utf-8", "surrogateescape"), 300)
