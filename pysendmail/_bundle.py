"""Bundles: the code of many modules in one file, which `make install` has made.

To find, open and read each module by itself is most of what importing them costs, and importing
them is most of what sendmail does. A bundle has their code in the order in which they need each
other. It is for the Pythons that run the same bytecode, whose mark is in its name: any other, and a
checkout, which has no bundles, import the modules from their own files, as is done where a bundle
is not whole. That makes no other difference.

The stub of sendmail runs this module's code before anything of ours is imported, so it imports
nothing of ours itself.
"""

from __future__ import annotations

import marshal
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType


def load_bundle(name: str) -> None:
    """Import the modules of a bundle, where there is one that is whole and this Python can read."""
    from pysendmail._paths import BUNDLES

    try:
        with open(f"{BUNDLES}/{name}.{MAGIC_NUMBER.hex()}", "rb") as file:
            _code, modules = marshal.loads(file.read())  # noqa: S302 - of the installation
    except (OSError, EOFError, ValueError, TypeError):
        return
    enter_modules(modules)


def enter_modules(modules: list[tuple[str, str, CodeType]]) -> None:
    """Import each module that was not yet: (full name, its directory if it is a package, code)."""
    entered = []
    for name, directory, code in modules:
        if name not in sys.modules:
            module = sys.modules[name] = type(sys)(name)
            module.__file__ = code.co_filename
            module.__package__ = name if directory else name.rpartition(".")[0]
            if directory:
                module.__spec__ = ModuleSpec(name, None, origin=code.co_filename)
                module.__path__ = module.__spec__.submodule_search_locations = [directory]
            entered.append((module, code))
    # A package comes behind those of its modules that it imports itself: they need it before.
    for module, code in entered:
        exec(code, module.__dict__)  # noqa: S102 - of the installation
        parent, _, child = module.__name__.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
