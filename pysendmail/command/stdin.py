"""Standard input, the file descriptors, and what sendmail may say: the edge of the shim.

Callers hand us closed descriptors, pipes that stay open for hours and terminals. The message is
read to its end before anything is done with it, so a caller that is killed before its end of file
has queued nothing. Without -i a line of a single dot ends it, and a leading `..` loses one dot, as
with Sendmail.
"""

from __future__ import annotations

import posix
import time

from pysendmail.message.content import write_all
from pysendmail.submission.exit_status import EX_IOERR, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.message.content import Content

CHUNK = 64 * 1024
DRAIN_S = 30.0  # how long a caller may go on writing behind the closing dot


class TooLarge(Exception):
    """The message is longer than the configured limit; it has not been read to its end."""


class Unreadable(Exception):
    """Standard input cannot be read."""


def repair_descriptors() -> None:
    """Open /dev/null for those of the descriptors 0 to 2 that the caller has closed."""
    for descriptor in (0, 1, 2):
        try:
            posix.fstat(descriptor)
        except OSError:
            posix.open("/dev/null", posix.O_RDWR)  # the lowest free one, which is this one


def set_umask() -> None:
    """Go by the usual umask: that of a caller could lock us out of the directories that we make."""
    posix.umask(0o022)


def say(descriptor: int, line: bytes) -> None:
    """Write one line; a caller that no longer listens is not an error."""
    try:
        write_all(descriptor, line + b"\n")
    except OSError:
        pass  # nobody reads: the exit status still tells


def tell(line: bytes) -> None:
    """Write one line of what the caller has asked for to standard output.

    Raises Refused where it cannot be written, as on a full disk: an answer with a hole in it must
    not pass for one. Who closes the pipe has read what he wanted.
    """
    try:
        write_all(1, line + b"\n")
    except BrokenPipeError:
        pass
    except OSError as error:
        raise Refused(EX_IOERR, f"cannot write the answer: {error.strerror}".encode()) from error


def read_message(content: Content, *, limit: int, dots: bool) -> bool:
    """Read standard input into `content`; `dots` tells whether a line of one dot ends it.

    Returns whether there may be more behind it. Raises TooLarge beyond `limit` octets, Unreadable
    when standard input fails, and OSError when the content cannot be kept.
    """
    reader = Undotter() if dots else None
    while chunk := read_chunk():
        content.write(reader.feed(chunk) if reader else chunk)
        if content.size > limit:
            raise TooLarge
        if reader and reader.ended:
            return True
    if reader:
        content.write(reader.finish())
        if content.size > limit:
            raise TooLarge
    return False


def read_chunk() -> bytes:
    """Return what comes next on standard input, b"" at its end."""
    try:
        return posix.read(0, CHUNK)
    except OSError as error:
        raise Unreadable(error.strerror) from error


def drain() -> None:
    """Read and forget what the caller still writes behind the closing dot, so that no SIGPIPE hits
    it.

    A caller that holds the pipe open without writing is not waited for: it waits for us.
    """
    import select  # only for callers without -i that write on behind the dot

    poll = select.poll()
    poll.register(0, select.POLLIN)
    end = time.monotonic() + DRAIN_S
    try:
        while time.monotonic() < end and poll.poll(100) and posix.read(0, CHUNK):
            pass
    except OSError:
        pass  # the message is in good hands: what came behind it does not matter


class Undotter:
    """Takes a message in pieces of any size and gives it back without the dots of its transport.

    `ended` becomes true at a line that holds a single dot; what follows it is dropped.
    """

    __slots__ = ("_line_start", "_rest", "ended")

    def __init__(self) -> None:
        self._rest = b""
        self._line_start = True
        self.ended = False

    def feed(self, chunk: bytes) -> bytes:
        """Return what is certain after one more piece."""
        data = self._rest + chunk
        end = data.rfind(b"\n") + 1
        if not end and len(data) > CHUNK:
            end = len(data)  # a line of that length holds more than a dot
        whole, self._rest = data[:end], data[end:]
        return self._undot(whole)

    def finish(self) -> bytes:
        """Return the last line, which had no end of its own."""
        if self._line_start and self._rest.rstrip(b"\r") == b".":
            self.ended = True
            return b""
        return self._undot(self._rest)

    def _undot(self, data: bytes) -> bytes:
        if not data or self.ended:
            return b""
        opened = b"\n" + data if self._line_start else data
        marks = [mark for mark in (opened.find(b"\n.\n"), opened.find(b"\n.\r\n")) if mark >= 0]
        if marks:
            self.ended = True
            opened = opened[: min(marks) + 1]
        undotted = opened.replace(b"\n..", b"\n.")
        if self._line_start:
            undotted = undotted[1:]
        self._line_start = data.endswith(b"\n")
        return undotted
