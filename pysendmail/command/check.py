"""pysendmail check: what is in force, and whether the smarthosts would take mail from us.

Reads the configuration as the daemon would, says which settings differ from their defaults and
where they come from (secrets masked), who can read the password, and opens a session to each
smarthost: connection, TLS, login. Nothing is sent unless an address to send to is given.
"""

from __future__ import annotations

import os
import stat
import time

from pysendmail.command.alias_check import find_alias_errors
from pysendmail.command.daemon_access import find_closed_files, group_name, user_name
from pysendmail.command.stdin import say, tell
from pysendmail.config.errors import ConfigError, UnreadableConfigError
from pysendmail.config.load import load
from pysendmail.config.secrets import credential_path, read_listen_password, read_password
from pysendmail.config.snapshot_writer import write_snapshot
from pysendmail.daemon.dropped import dropped_entries
from pysendmail.daemon.volume import volatile_spool
from pysendmail.message.alias_file import read_aliases
from pysendmail.message.outcome import DELIVERED
from pysendmail.message.queue_id import new_queue_id
from pysendmail.relay.attempt import attempt
from pysendmail.relay.offer import told
from pysendmail.relay.session import open_session
from pysendmail.relay.smarthost import smarthosts_of
from pysendmail.smtp import SmtpError
from pysendmail.submission.accept import accept
from pysendmail.submission.direct import OneSession
from pysendmail.submission.drop_door import drop_directory
from pysendmail.submission.exit_status import EX_CONFIG, EX_OK, EX_UNAVAILABLE
from pysendmail.submission.request import Request
from pysendmail.submission.socket_door import is_served
from pysendmail.submission.submitter import find_submitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.config.keys import Config
    from pysendmail.config.load import Loaded
    from pysendmail.relay.smarthost import Smarthost
    from pysendmail.smtp import Client

CHECK_S = 20.0  # how long one smarthost may take


def check(*, connect: bool, send_to: str) -> int:
    """Check everything and print what was found; returns the exit status."""
    try:
        loaded = load(os.environ)
        password = read_password(loaded.config)
        read_listen_password(loaded.config)
    except ConfigError as error:
        for line in error.errors:
            say(2, line.encode("utf-8", "backslashreplace"))
        if isinstance(error, UnreadableConfigError) and os.geteuid() != 0:
            say(2, b"this is for root to check, or for the daemon's user")
        return EX_CONFIG
    show_settings(loaded)
    show_spool(loaded.config)
    in_order = [show_closed_files(loaded), show_aliases(loaded.config)]
    status = EX_OK if all(in_order) else EX_CONFIG
    if not connect:
        return status
    smarthosts = smarthosts_of(loaded.config, password)
    reachable = [show_smarthost(smarthost, loaded.config) for smarthost in smarthosts]
    if not all(reachable) or not smarthosts:
        status = EX_UNAVAILABLE
    if send_to and any(reachable) and not send(loaded.config, smarthosts, send_to):
        status = EX_UNAVAILABLE
    return status


def show(line: str) -> None:
    """Print one line; raises Refused where it cannot be written."""
    tell(line.encode("utf-8", "backslashreplace"))


def show_settings(loaded: Loaded) -> None:
    """Print what was configured, and leave the shim's snapshot where we may."""
    show(f"configuration: {loaded.path}{'' if loaded.file else ' (not there)'}")
    for name, text, source in loaded.changes():
        show(f"  {name} = {text}  [{source}]")
    for secret, name in (
        ("password", loaded.config.password_file),
        ("token", loaded.config.token_file),
        ("key of our certificate", key_file_of(loaded.config)),
    ):
        if name:
            show(f"  the {secret} can be read by {readers_of(name)}")
    for warning in loaded.warnings:
        show(f"warning: {warning}")
    try:
        write_snapshot(loaded)
    except OSError as error:
        show(f"note: no snapshot for sendmail was written ({error})")


def key_file_of(config: Config) -> str:
    """Return where the key of our own certificate is, "" where we have none."""
    return config.tls_key_file or config.tls_certificate_file


def readers_of(name: str) -> str:
    """Return who can read a file, by its owner and mode."""
    try:
        status = os.stat(credential_path(name, os.environ))
    except OSError as error:
        return f"nobody: {error.strerror}"
    readers = [user_name(status.st_uid)]
    if status.st_mode & stat.S_IRGRP:
        readers.append(group_name(status.st_gid))
    if status.st_mode & stat.S_IROTH:
        readers.append("everybody")
    return ", ".join(readers)


def show_spool(config: Config) -> None:
    """Print whether the spool will survive, and how many messages nobody takes in, where we may
    know.
    """
    if volatile := volatile_spool(config.spool):
        show(f"warning: {volatile}")
    if is_served(config.socket):
        return
    directory = drop_directory(config.spool)
    if count := sum(1 for _ in dropped_entries(directory)):
        show(f"warning: no daemon is running, and {directory} has messages for it: {count}")


def show_closed_files(loaded: Loaded) -> bool:
    """Print what the daemon's user cannot read; tell whether the daemon can do its work."""
    at_start, later = find_closed_files(loaded)
    for line in at_start:
        show(f"warning: {line}")
    for line in later:
        show(line)
    return not later


def show_aliases(config: Config) -> bool:
    """Print what is wrong with the aliases file; tell whether it is in order."""
    errors = find_alias_errors(config)
    for error in errors:
        show(error)
    return not errors


def show_smarthost(smarthost: Smarthost, config: Config) -> bool:
    """Open a session, print how it went, and end it; tell whether mail would be taken."""
    name = smarthost.name.decode()
    began = time.monotonic()
    try:
        client = open_session(smarthost, hostname=config.hostname, deadline=began + CHECK_S)
    except SmtpError as trouble:
        show(f"smarthost {name}: {told(trouble).decode('utf-8', 'backslashreplace')}")
        return False
    for line in describe(client, smarthost):
        show(f"smarthost {name}: {line}")
    client.quit()
    return True


def describe(client: Client, smarthost: Smarthost) -> list[str]:
    """Return what a person wants to know of an open session."""
    props = client.tls_session_props
    if props is None:
        lines = ["connected, NOT encrypted"]
    else:
        verified = "certificate verified" if client.tls_verified else "certificate NOT verified"
        lines = [f"connected, {props.version} {props.cipher}, {verified}"]
    if client.authenticated:
        lines.append(f"logged in as {smarthost.login.name.decode('utf-8', 'backslashreplace')}")
    offers = b", ".join(sorted(client.extensions.keywords))
    lines.append(f"offers {offers.decode('ascii', 'backslashreplace') or 'no extensions'}")
    return lines


def send(config: Config, smarthosts: tuple[Smarthost, ...], address: str) -> bool:
    """Send one message to `address` and print what became of it."""
    from pysendmail.message.content import Content

    raw = Content()
    raw.write(
        b"Subject: pysendmail check\nTo: %b\n\nThis message was sent by pysendmail check.\n"
        % os.fsencode(address)
    )
    accepted = accept(
        Request(queue_id=new_queue_id(), size=raw.size, operands=(os.fsencode(address),)),
        raw,
        find_submitter(os.getuid()),
        config=config,
        aliases=read_aliases(config.aliases),
        now=time.time(),
        content=Content,
        limit=None,
    )
    sessions = OneSession(config.hostname)
    result = attempt(accepted.envelope, accepted.message, smarthosts, sessions)
    sessions.close()
    for outcome in result.outcomes:
        recipient = outcome.recipient.decode("utf-8", "backslashreplace")
        show(f"{recipient}: {outcome.kind}: {outcome.text.decode('utf-8', 'backslashreplace')}")
    return all(outcome.kind == DELIVERED for outcome in result.outcomes)
