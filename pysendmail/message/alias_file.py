"""The aliases file: reading it, and what is wrong in it.

The syntax is that of aliases(5): `name: target, target`, continuation lines, quotes, comments.
Targets are addresses, bare names (which may be aliases again) and `:include:/file`, one level deep.
A target that is a program, a file or a command to the mail system is refused and never run; so is
everything that cannot be read as an address. Mail for such a name fails, with the place in the file
as reason.

Parsing never raises: what is wrong is in `Aliases.errors`, each with file and line. Only a file
that is there and cannot be read raises OSError.
"""

from __future__ import annotations

import errno
import os
import stat

from pysendmail.message.alias_syntax import (
    Targets,
    logical_lines,
    shown,
    split_alias,
    why_no_name,
)
from pysendmail.message.aliases import Alias, Aliases
from pysendmail.message.outcome import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pysendmail.message.aliases import Source

MIB = 1024 * 1024
# What is held in memory of an aliases file, and again of all that it includes together; so many
# octets are some hundred thousand names.
FILE_LIMIT = 16 * MIB
# One included file, which a user may change as often as he likes: there is room in it for as many
# addresses as a message may have recipients, and it takes a second to read, a few when it was made
# for that.
INCLUDED_LIMIT = MIB


def read_aliases(path: str) -> Aliases:
    """Return the aliases in a file and in those it includes; none when there is no such file.

    Raises OSError when it is there and cannot be read.
    """
    sources = [source_of(path)]
    try:
        text, status = read_file(path, FILE_LIMIT)
    except FileNotFoundError:
        return Aliases(sources=sources)
    errors = []
    if status.st_mode & stat.S_IWOTH and stat.S_ISREG(status.st_mode):
        errors.append(f"{path}: everybody can write it, and so read mail that is not theirs")
    room = FILE_LIMIT

    def include(included: str) -> bytes:
        nonlocal room
        sources.append(source_of(included))
        content = read_included(included)
        if len(content) > room:
            raise OSError(errno.EFBIG, "more than 16 MiB with all that is included", included)
        room -= len(content)
        return content

    parsed = parse_aliases(text, path=path, include=include)
    return Aliases(parsed.by_name, [*errors, *parsed.errors], sources=sources)


def source_of(path: str) -> Source:
    """Return what tells one state of a file from another."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return (path, 0, 0, 0)
    return (path, status.st_mtime_ns, status.st_size, status.st_ino)


def read_included(path: str) -> bytes:
    """Return the content of an included file, which may be in the hands of another user.

    What it says gets into bounces and logs. So only what everybody may read is read, whoever we
    are: its author cannot put a file of ours in its place, by a link in a directory of his, and be
    told what is in that. Raises OSError.
    """
    content, status = read_file(path, INCLUDED_LIMIT, os.O_NOFOLLOW)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)
    if not status.st_mode & stat.S_IROTH:
        raise PermissionError(errno.EACCES, "not readable by everybody (chmod o+r)", path)
    if status.st_mode & stat.S_IWOTH:
        raise PermissionError(errno.EACCES, "writable by everybody (chmod o-w)", path)
    return content


def read_file(path: str, limit: int, flags: int = 0) -> tuple[bytes, os.stat_result]:
    """Return content and status of a file, of a device none, as /dev/null has none.

    Raises OSError, also for what is neither, and for more than `limit` octets.
    """
    # Without O_NONBLOCK a FIFO under this name would stop us.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | flags)
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if stat.S_ISCHR(status.st_mode):
            return b"", status
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"more than {limit // MIB} MiB", path)
    return content, status


def parse_aliases(
    text: bytes, *, path: str = "aliases", include: Callable[[str], bytes] | None = None
) -> Aliases:
    """Return the aliases in the text of a file.

    `path` names it in errors. `include` returns the content of an included file or raises OSError;
    without it includes are refused.
    """
    by_name: dict[bytes, Alias] = {}
    errors: list[str] = []
    for number, line in logical_lines(text):
        where = f"{path}:{number}"
        name, value = split_alias(line)
        if not name:
            errors.append(f"{where}: expected 'name: target, …', found {shown(line)}")
        elif reason := why_no_name(name):
            errors.append(f"{where}: {shown(name)} is never looked for: {reason}")
        elif name in by_name:
            errors.append(f"{where}: {shown(name)} has an alias already; this one is ignored")
        else:
            by_name[name] = parse_targets(value, where, include, errors)
    return Aliases(by_name, errors)


def parse_targets(
    value: bytes, where: str, include: Callable[[str], bytes] | None, errors: list[str]
) -> Alias:
    """Return what stands behind the colon as an alias; mistakes are added to `errors`."""
    targets = Targets(where, include)
    targets.add_list(value)
    if not targets.mailboxes and not targets.refused:
        targets.refuse("no target")
    errors += targets.errors
    refused = [(status, as_text(reason)) for status, reason in targets.refused]
    return Alias(targets.mailboxes, refused, where)


def as_text(line: str) -> bytes:
    """Return an error as the text of an outcome."""
    return printable(line.encode("utf-8", "backslashreplace"))
