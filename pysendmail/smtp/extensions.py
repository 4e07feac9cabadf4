"""What a server offers: the answer to EHLO, understood.

Keywords are compared without regard to case; several AUTH lines are merged, the old form `AUTH=`
is read as well; a keyword line that makes no sense offers nothing and is no error (RFC 5321
section 4.1.1.1). The answer to HELO has no keywords at all, whatever its lines look like.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


class Extensions:
    """The offers of one EHLO answer.

    `lines` are the raw lines, the first being the server's name and greeting; `keywords` maps each
    upper-case keyword to its parameters; `size_limit` is None where the server states no limit;
    `limits` maps the names of RFC 9422 (`RCPTMAX`, `MAILMAX`, `RCPTDOMAINMAX`) to their values.
    """

    __slots__ = ("auth_mechanisms", "keywords", "limits", "lines", "size_limit")

    def __init__(
        self, lines: tuple[bytes, ...] = (), keywords: dict[bytes, tuple[bytes, ...]] | None = None
    ) -> None:
        self.lines = lines
        self.keywords = keywords or {}
        self.size_limit = _size_limit(self.keywords.get(b"SIZE", ()))
        self.limits = _limits(self.keywords.get(b"LIMITS", ()))
        self.auth_mechanisms = tuple(name.upper() for name in self.keywords.get(b"AUTH", ()))

    def __contains__(self, keyword: object) -> bool:
        return keyword in self.keywords

    def __repr__(self) -> str:
        return f"Extensions({self.lines!r})"


def parse_extensions(lines: tuple[bytes, ...], ignored: Collection[bytes] = ()) -> Extensions:
    """Return the offers in the `lines` of an answer to EHLO (codes stripped).

    Keywords in `ignored` (upper case) count as not offered, for servers that do not keep them.
    """
    keywords: dict[bytes, tuple[bytes, ...]] = {}
    mechanisms: dict[bytes, None] = {}
    for line in lines[1:]:
        words = line.split()
        if not words:
            continue
        keyword = words[0].upper()
        parameters = tuple(words[1:])
        if keyword.startswith(b"AUTH="):
            # Servers of before RFC 2554 and those who please old clients: AUTH=PLAIN LOGIN.
            first = words[0][5:]
            parameters = ((first,) if first else ()) + parameters
            keyword = b"AUTH"
        if keyword == b"AUTH":
            mechanisms.update(dict.fromkeys(parameters))  # each once, however many there are
        if keyword not in ignored:
            keywords[keyword] = parameters
    if b"AUTH" in keywords:
        keywords[b"AUTH"] = tuple(mechanisms)
    return Extensions(lines, keywords)


def auth_mechanisms(lines: list[bytes]) -> tuple[bytes, ...]:
    """Return the upper-case names of the SASL mechanisms in an answer to EHLO."""
    return parse_extensions(tuple(lines)).auth_mechanisms


def _size_limit(parameters: tuple[bytes, ...]) -> int | None:
    """Return the limit of `SIZE n`: RFC 1870 section 4, where 0 and nothing both mean none."""
    if parameters and parameters[0].isdigit() and len(parameters[0]) <= 20:
        return int(parameters[0]) or None
    return None


def _limits(parameters: tuple[bytes, ...]) -> dict[bytes, int]:
    """Return the limits of `LIMITS name=value ...`; what makes no sense is no limit (RFC 9422)."""
    limits = {}
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if value.isdigit() and len(value) <= 6 and int(value):
            limits[name.upper()] = int(value)
    return limits
