"""The documents that are made from the table of keys: `python -m pysendmail.config.generate`.

Writes etc/pysendmail.yaml.example, docs/pysendmail.schema.json and the section Keys of
docs/man/pysendmail.yaml.5 into the source tree it is run from. A test asserts that what is
committed equals what is generated.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from pysendmail.config.keys import KEYS
from pysendmail.config.smarthost_url import DEFAULT_PORTS
from pysendmail.smtp.sasl import MECHANISMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pysendmail.config.key import Key

EXAMPLE_PATH = "etc/pysendmail.yaml.example"
SCHEMA_PATH = "docs/pysendmail.schema.json"
MANUAL_PATH = "docs/man/pysendmail.yaml.5"

# the manual page is written by hand but for what is between these two lines
MANUAL_BEGIN = '.\\" the keys, by python -m pysendmail.config.generate: begin\n'
MANUAL_END = '.\\" the keys, by python -m pysendmail.config.generate: end\n'

EXAMPLE_HEAD = """\
# pysendmail.yaml: what pysendmail is told. See pysendmail.yaml(5).
#
# Every key is listed with its default, or with an example where there is none.
# Five lines serve most people:
#
# smarthost: submission://smtp.example.com
# user: mailer@example.com
# password_file: /etc/pysendmail/password
# origin: example.com
# root: admin@example.com
#
# Each key is also a variable of the environment: PYSENDMAIL_SMARTHOST and so on.
# Check what you wrote with: pysendmail check
"""

# numbers are durations in seconds and sizes in octets
SCHEMA_TYPES: dict[str, dict[str, Any]] = {
    "duration": {
        "type": ["string", "number"],
        "pattern": r"^([0-9.]+[wdhmsWDHMS])+$|^[0-9.]+$",
    },
    "size": {"type": ["string", "integer"], "pattern": "^[0-9.]+ ?([kKmMgG]?[iI]?[bB]?)$"},
    "count": {"type": "integer"},
    "boolean": {"enum": [True, False, "yes", "no", "on", "off"]},
    "smarthosts": {"type": "string", "pattern": f"^({'|'.join(DEFAULT_PORTS)})://[^@]+$"},
    "domains": {"type": "string", "minLength": 1},
    "endpoints": {"type": "string", "pattern": r"^([0-9.]+|\[[0-9a-fA-F:.]+\]):[0-9]+$"},
    "mechanisms": {"enum": [name.decode() for name in MECHANISMS]},
    "pins": {"type": "string", "pattern": "^(sha256|spki-sha256):.+$"},
    "proxy": {"type": "string", "pattern": "^(socks5h?|http)://.+:[0-9]+/?$"},
    "path": {"type": "string", "pattern": "^/"},
    "socket": {"type": "string", "pattern": "^/"},
}


def format_example() -> str:
    """Return the commented example of the YAML file."""
    return EXAMPLE_HEAD + "".join(map(_example_of, KEYS))


def format_schema() -> str:
    """Return the JSON Schema by which editors complete and check the YAML file."""
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "pysendmail.yaml",
        "description": "The configuration of pysendmail, a sendmail-compatible local MTA shim.",
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: _schema_of(key) for key in KEYS},
    }
    return json.dumps(schema, indent=2) + "\n"


def format_manual(manual: str) -> str:
    """Return the manual page with its list of keys made anew."""
    before, begin, rest = manual.partition(MANUAL_BEGIN)
    _old, end, after = rest.partition(MANUAL_END)
    if not begin or not end:
        raise ValueError("the manual page lacks the lines that enclose the keys")
    return before + begin + "".join(map(_manual_of, KEYS)) + end + after


def write_documents(root: Path) -> None:
    """Write all three below the root of the source tree."""
    manual = root / MANUAL_PATH
    (root / EXAMPLE_PATH).write_text(format_example(), encoding="utf-8")
    (root / SCHEMA_PATH).write_text(format_schema(), encoding="utf-8")
    manual.write_text(format_manual(manual.read_text(encoding="utf-8")), encoding="utf-8")


def _example_of(key: Key) -> str:
    remark = "Default:" if key.default else "Not set by default; for example:"
    lines = [*_wrapped(key.doc), *_wrapped(f"Expected: {key.expected}."), remark]
    comment = "".join(f"# {line}\n" for line in lines)
    value = key.default or key.example
    if key.kind == "identities":
        value = f"{{{value}}}"  # a mapping on one line
    return f"\n{comment}#{key.name}: {value}\n"


def _schema_of(key: Key) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": key.doc}
    if key.kind == "choice":
        schema["enum"] = list(key.choices)
    elif key.kind == "identities":
        schema["type"] = "object"
        schema["additionalProperties"] = {"type": "string", "minLength": 1}
    elif key.type is tuple:
        one = {"enum": list(key.choices)} if key.choices else SCHEMA_TYPES[key.kind]
        schema["anyOf"] = [one, {"type": "array", "items": one, "minItems": 1}]
    else:
        schema |= SCHEMA_TYPES.get(key.kind, {"type": "string", "minLength": 1})
    if key.kind == "count":
        schema |= {"minimum": int(key.low), "maximum": int(key.high)}
    if key.default:
        value = key.default_value
        schema["default"] = value if isinstance(value, int) and key.kind != "size" else key.default
    elif key.example:
        is_mapping = key.kind == "identities"
        schema["examples"] = [dict([key.example.split(": ")]) if is_mapping else key.example]
    return schema


def _manual_of(key: Key) -> str:
    sentences = [*_sentences(key.doc), f"Expected: {key.expected}."]
    if key.default:
        sentences.append(f"Default: {key.default}")
    lines = [_roff(line) for sentence in sentences for line in _wrapped(sentence)]
    return f".It Ic {key.name}\n" + "".join(f"{line}\n" for line in lines)


def _sentences(prose: str) -> list[str]:
    """Return each sentence alone: mdoc wants every one on a line of its own."""
    return [f"{sentence.removesuffix('.')}." for sentence in prose.split(". ")]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 76, break_long_words=False, break_on_hyphens=False)


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace(" -", " \\-").replace("(-", "(\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    write_documents(Path(__file__).parents[2])
