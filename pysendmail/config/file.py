"""The YAML file: a mapping of keys to texts, lists or mappings of texts, and nothing cleverer.

YAML says where things stand; what they mean is read from the scalar's own text by the table of
keys, so that `user: 007` keeps its zeros and `wait: 1:30` is an error, not 90. Anchors,
aliases and tags are refused, as are repeated keys, of which YAML's usual loaders silently keep the
last.

Every mistake is told as `FILE:LINE:COLUMN: key 'wait': found …, expected …`; all are collected,
save those that end the reading (not UTF-8, not YAML). This is the only module that imports yaml.
"""

from __future__ import annotations

from pysendmail.config.keys import KEYS, find_key
from pysendmail.config.settings import Settings, nearest, read_limited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from pysendmail.config.key import Key

FILE_LIMIT = 1024**2
# a mapping with lists or mappings in it
DEPTH_LIMIT = 2

_UTF8_BOM = b"\xef\xbb\xbf"


class _DocumentError(ValueError):
    """The reading ends here."""

    def __init__(self, trouble: str, line: int = 1, column: int = 1) -> None:
        super().__init__(trouble)
        self.line = line
        self.column = column


def read_file(path: str) -> Settings:
    """Return what the file says, its mistakes included; OSError when it cannot be read."""
    settings = Settings()
    try:
        content, status = read_limited(path, FILE_LIMIT)
        settings.identity = (status.st_mtime_ns, status.st_size, status.st_ino)
        settings.mode = status.st_mode
        _take_document(settings, path, _parse_yaml(_decode(content)))
    except _DocumentError as error:
        settings.refuse("", f"{path}:{error.line}:{error.column}", str(error))
    except ValueError as error:
        settings.refuse("", path, str(error))
    return settings


def _decode(content: bytes) -> str:
    if content.startswith(_UTF8_BOM):
        raise _DocumentError("found a byte order mark, expected UTF-8 without one")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        found = f"octet 0x{content[error.start]:02x}"
        raise _DocumentError(f"found {found}, expected UTF-8", line, column) from None
    for line, line_text in enumerate(text.split("\n"), 1):
        _refuse_controls(line_text.removesuffix("\r"), line)
    return text


def _refuse_controls(text: str, line: int) -> None:
    indentation = len(text) - len(text.lstrip(" \t"))
    for column, character in enumerate(text, 1):
        if character == "\t" and column <= indentation:
            raise _DocumentError("found a tab before the text, expected blanks", line, column)
        if (character < " " and character != "\t") or character == "\x7f":
            raise _DocumentError(f"found the control character {character!r}", line, column)


def _parse_yaml(text: str) -> Any:
    """Return the root node, None for a file without content."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_tricks(yaml.parse(text, loader))
        # the depth is bounded now: compose goes down by recursion
        return yaml.compose(text, loader)
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        trouble = ", ".join(part for part in (error.context, error.problem) if part)
        raise _DocumentError(f"not YAML: {trouble}", *_position(mark)) from None
    except yaml.reader.ReaderError as error:
        raise _DocumentError(f"not YAML: {error.reason}") from None


def _refuse_tricks(events: Iterable[Any]) -> None:
    from yaml import events as kinds

    depth = 0
    for event in events:
        if getattr(event, "anchor", None) is not None:
            trick = "anchors (&) and aliases (*) are not allowed"
        elif getattr(event, "tag", None) is not None:
            trick = "tags (!) are not allowed"
        elif depth > DEPTH_LIMIT:
            trick = "nested too deep, expected texts, or lists or mappings of texts"
        else:
            depth += isinstance(event, kinds.CollectionStartEvent)
            depth -= isinstance(event, kinds.CollectionEndEvent)
            continue
        raise _DocumentError(trick, *_position(event.start_mark))


def _take_document(settings: Settings, path: str, root: Any) -> None:
    if root is None:
        return  # empty, or nothing but comments: all keys at their defaults
    if root.id != "mapping":
        raise _DocumentError("expected lines of KEY: VALUE", *_position(root.start_mark))
    first_lines: dict[str, int] = {}
    for name_node, value_node in root.value:
        place = _place(path, name_node)
        name = str(name_node.value) if name_node.id == "scalar" else ""
        key = find_key(name)
        if key is None:
            suggestion = nearest(name, [known.name for known in KEYS])
            settings.refuse(name, place, f"unknown key{suggestion}")
        elif name in first_lines:
            settings.refuse(name, place, f"repeated, first on line {first_lines[name]}")
        else:
            first_lines[name] = name_node.start_mark.line + 1
            _take_value(settings, path, key, value_node)


def _take_value(settings: Settings, path: str, key: Key, node: Any) -> None:
    source = f"{path}:{node.start_mark.line + 1}"
    if node.id == "scalar":
        settings.put(key, [(_text(node), _place(path, node))], source)
    elif node.id == "mapping" and key.kind == "identities" and node.value:
        settings.put(key, list(_entries(settings, path, key, node)), source)
    elif node.id == "sequence" and key.type is tuple and key.kind != "identities" and node.value:
        settings.put(key, [(_text(item), _place(path, item)) for item in node.value], source)
    else:
        found = "a mapping" if node.id == "mapping" else "a list" if node.value else "an empty list"
        settings.refuse(key.name, _place(path, node), f"found {found}, expected {key.expected}")


def _entries(settings: Settings, path: str, key: Key, node: Any) -> Iterator[tuple[str, str]]:
    """Yield each `NAME: VALUE` of a mapping as a text, with its place."""
    seen = set()
    for name, value in node.value:
        if _text(name) in seen:
            settings.refuse(key.name, _place(path, name), f"{_text(name)!r} is repeated")
        seen.add(_text(name))
        yield f"{_text(name)}: {_text(value)}", _place(path, name)


def _text(node: Any) -> str:
    # ~ and null are YAML's words for nothing; a quoted "null" is a text
    return "" if node.tag == "tag:yaml.org,2002:null" else str(node.value)


def _place(path: str, node: Any) -> str:
    line, column = _position(node.start_mark)
    return f"{path}:{line}:{column}"


def _position(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1
