"""What is wrong with the aliases file: for newaliases, and for pysendmail check."""

from __future__ import annotations

from pysendmail.message.alias_file import read_aliases
from pysendmail.message.aliases import find_loops
from pysendmail.submission.accept import local_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pysendmail.config.keys import Config


def find_alias_errors(config: Config) -> list[str]:
    """Return a line for each mistake, with file and line number; a missing file has none."""
    try:
        aliases = read_aliases(config.aliases)
    except OSError as error:
        return [f"{config.aliases}: {error.strerror}"]
    return [*aliases.errors, *find_loops(aliases, local_names(config, aliases))]
