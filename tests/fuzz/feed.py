"""Feed one target in this process by libFuzzer: `python -m tests.fuzz.feed TARGET [OPTION ...]`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["pysendmail"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    atheris.Setup(sys.argv[1:], TARGETS[sys.argv[1]])
    atheris.Fuzz()
