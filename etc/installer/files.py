"""Files as an installation writes them: whole, under their final name from the first moment on."""

from __future__ import annotations

import hashlib
import os
import shutil

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # renameat2(2)


class Link:
    """The content of a symbolic link."""

    def __init__(self, target: str) -> None:
        self.target = target


Content = bytes | Link


def write(path: str, content: Content, mode: int) -> None:
    """Write a file, or make a link, and put it in the place of what is there."""
    fresh = f"{path}.new"
    if os.path.lexists(fresh):
        os.unlink(fresh)
    if isinstance(content, Link):
        os.symlink(content.target, fresh)
    else:
        with open(fresh, "xb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
    os.rename(fresh, path)


def exchange(fresh: str, used: str) -> None:
    """Put a new directory in the place of the one that is used, if any, and remove that.

    At no moment is there none, where kernel and file system can do that: a program that starts just
    then would end with a traceback.
    """
    old = f"{used}.old"
    shutil.rmtree(old, ignore_errors=True)
    if not os.path.isdir(used):
        os.rename(fresh, used)
    elif swap(fresh, used):
        shutil.rmtree(fresh, ignore_errors=True)
    else:
        os.rename(used, old)
        os.rename(fresh, used)
        shutil.rmtree(old, ignore_errors=True)


def swap(one: str, other: str) -> bool:
    """Let two paths change their places in one step; False where that cannot be done."""
    try:
        import ctypes  # which not every Python has

        library = ctypes.CDLL(None)
        names = os.fsencode(one), os.fsencode(other)
        done: int = library.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
    except (ImportError, AttributeError):
        return False
    return done == 0


def digest(content: Content) -> str:
    """Return what tells a content from every other."""
    if isinstance(content, Link):
        return f"-> {content.target}"
    return hashlib.sha256(content).hexdigest()


def digest_at(path: str) -> str:
    """Return the digest of what is at a path, "" where there is no file or link."""
    try:
        if os.path.islink(path):
            return digest(Link(os.readlink(path)))
        with open(path, "rb") as file:
            return digest(file.read())
    except OSError:
        return ""


def read_text(name: str) -> str:
    """Return a document of the checkout."""
    with open(name, encoding="utf-8") as file:
        return file.read()


def closed_to_others(path: str) -> str:
    """Return what on the way to `path`, or itself, is closed to others, '' when nothing is."""
    path = os.path.realpath(path)
    while path != "/" and os.stat(path).st_mode & 0o001:
        path = os.path.dirname(path)
    return "" if path == "/" else path
