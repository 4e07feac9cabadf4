"""The arrows of docs/architecture.md, held against what the modules import."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "pysendmail"
MODULES = sorted(ROOT.rglob("*.py"))

# package -> the packages of ours that it may import
ALLOWED = {
    "message": set(),
    "smtp": set(),
    "config": {"message", "smtp"},  # how addresses are written, mechanisms, pins and proxies
    "spool": {"message"},
    "journal": {"message"},
    "relay": {"message", "smtp", "config"},
    "submission": {"message", "config", "spool", "relay", "smtp", "journal"},
    "daemon": {"message", "config", "spool", "relay", "smtp", "journal", "submission"},
    "command": {
        "message", "config", "spool", "relay", "smtp", "journal", "submission", "daemon",
    },
}  # fmt: skip
ANYWHERE = {"", "_paths", "_bundle", "__version__"}

# a module that is outside ours -> the only places that may import it
RESERVED = {
    "yaml": {"config/file.py"},
    "_socket": {
        "smtp/transport/race.py", "smtp/transport/resolve.py", "smtp/transport/stream.py",
        "smtp/transport/tcp.py", "submission/socket_door.py",
    },
    "_ssl": {"smtp/transport/stream.py", "smtp/transport/tls.py"},
    "ssl": set(),
}


def imports_of(path: Path, *, typing_too: bool = True) -> set[str]:
    """Return the full names of all modules that a file imports, inside functions too."""
    tree = ast.parse(path.read_text())
    found = set()
    package = ("pysendmail", *path.relative_to(ROOT).parts[:-1])
    skipped = set() if typing_too else {id(node) for node in typing_nodes(tree)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, node.module)) if node.module else ".".join(base)
            found.add(module)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def typing_nodes(tree: ast.Module) -> list[ast.AST]:
    """Return the nodes that only a type checker sees."""
    return [
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    ]


def home_of(path: Path) -> str:
    """Return the package (or module) of ours that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_what_the_table_allows(path: Path) -> None:
    home = home_of(path)
    if home not in ALLOWED:
        assert home in ("__init__", "_paths", "_bundle")
        return
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("pysendmail.")}
    assert ours - ALLOWED[home] - ANYWHERE - {home} == set()


@pytest.mark.parametrize("module", RESERVED)
def test_outside_module_is_imported_only_where_it_belongs(module: str) -> None:
    users = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if module in {name.split(".")[0] for name in imports_of(path, typing_too=False)}
    }
    assert users <= RESERVED[module]


def test_python_daemon_is_imported_only_by_the_daemons_command() -> None:
    users = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if any(name.split(".")[0] == "daemon" for name in imports_of(path))
    }
    assert users == {"command/pysendmaild.py"}


def test_smtp_touches_sockets_only_in_transport() -> None:
    reserved = {"_socket", "_ssl", "socket", "select", "os", "posix"}
    users = {
        path: imports_of(path, typing_too=False)
        for path in (ROOT / "smtp").rglob("*.py")
        if imports_of(path, typing_too=False) & reserved
    }
    nonces = users.pop(ROOT / "smtp/sasl/mechanism.py")
    assert {name for name in nonces if name.split(".")[0] in reserved} == {"os", "os.urandom"}
    assert {path.parent.name for path in users} == {"transport"}


def test_what_transport_knows_of_addresses_and_certificates_is_pure() -> None:
    for name in ("address", "certificate", "pin", "fault"):
        imported = imports_of(ROOT / f"smtp/transport/{name}.py", typing_too=False)
        assert not imported & {"socket", "_ssl", "select", "os", "time"}


def test_attempt_knows_no_spool_and_retry_no_clock() -> None:
    assert not any("spool" in name for name in imports_of(ROOT / "relay/attempt.py"))
    assert not imports_of(ROOT / "relay/retry.py") & {"time", "random", "os", "datetime"}


def test_bounce_sends_nothing() -> None:
    assert not any(
        name.startswith(("pysendmail.smtp", "pysendmail.relay", "socket"))
        for name in imports_of(ROOT / "message/bounce.py")
    )


def test_every_package_stands_in_the_document() -> None:
    document = (ROOT.parent / "docs/architecture.md").read_text()
    assert all(f"`{name}/`" in document or f"`{name}.py`" in document for name in ALLOWED)
