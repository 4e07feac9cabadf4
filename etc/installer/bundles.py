"""The bundles of an installation: which modules are in them, in which order, and their code.

How they are read is told in pysendmail/_bundle.py.
"""

from __future__ import annotations

import ast
import marshal
import os
from importlib.util import MAGIC_NUMBER
from types import CodeType

from etc.installer.dependencies import run
from etc.installer.places import Trouble

# Bundle -> what sendmail imports when it loads it; without what it has imported at its start.
CONTENTS = {
    "sendmail": ("pysendmail._bundle", "pysendmail.command.sendmail"),
    "drop_door": ("pysendmail.spool.room", "pysendmail.submission.mistakes"),
    "direct_door": ("pysendmail.submission.direct", "pysendmail.smtp.transport.tcp"),
    "spool": ("pysendmail.spool.directory",),
}
READER = "pysendmail/_bundle.py"


def lay_bundles(fresh: str, final: str, python: str) -> None:
    """Make the bundles of the modules below `fresh`, whose final place is `final`."""
    os.mkdir(f"{fresh}/bundles")
    at_start: list[str] = []
    for name, wanted in CONTENTS.items():
        order = [module for module in import_order(fresh, python, wanted) if module not in at_start]
        at_start = at_start or order
        modules = [(module, *code_of(module, fresh, final)) for module in order]
        content = marshal.dumps((lean_code(f"{fresh}/{READER}", f"{final}/{READER}"), modules))
        with open(f"{fresh}/bundles/{name}.{MAGIC_NUMBER.hex()}", "wb") as file:
            file.write(content)


def import_order(fresh: str, python: str, wanted: tuple[str, ...]) -> list[str]:
    """Return the modules of ours that these import, and they themselves, the needed ones first."""
    program = f"import sys; sys.path.insert(0, {fresh!r}); import {', '.join(wanted)}"
    done = run([python, "-IS", "-X", "importtime", "-c", program])
    if done.returncode != 0:
        raise Trouble(f"what is to be installed does not run: {done.stderr.splitlines()[-1]}")
    # import time:       121 |        260 |         pysendmail.message.address
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines()]
    return [name for name in names if name.split(".")[0] == "pysendmail"]


def code_of(module: str, fresh: str, final: str) -> tuple[str, CodeType]:
    """Return the directory of a module that is a package, else "", and its code."""
    path = module.replace(".", "/")
    if os.path.isdir(f"{fresh}/{path}"):
        source = f"{path}/__init__.py"
        return f"{final}/{path}", lean_code(f"{fresh}/{source}", f"{final}/{source}")
    return "", lean_code(f"{fresh}/{path}.py", f"{final}/{path}.py")


def lean_code(path: str, named: str) -> CodeType:
    """Return the code of a source file, without what is for people and type checkers alone."""
    with open(path, encoding="utf-8") as file:
        tree = Lean().visit(ast.parse(file.read()))
    code: CodeType = compile(tree, named, "exec", dont_inherit=True, optimize=2)
    return code


class Lean(ast.NodeTransformer):
    """Takes annotations out of a module, what is imported for them, and the import of `__future__`.

    That one has a file of its own in Python's library, which would be looked for. Docstrings are
    left to the compiler.
    """

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        """Drop the import of `__future__`."""
        return None if node.module == "__future__" else node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        """Drop what stands below `if TYPE_CHECKING:`."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse or None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Leave of an annotated assignment the assignment."""
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Drop the type that a function returns."""
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Drop the type of a parameter."""
        node.annotation = None
        return node
