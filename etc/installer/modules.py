"""Our private directory: modules with bytecode, bundles of them, dependencies; and the few lines of
the programs.
"""

from __future__ import annotations

import compileall
import os
import shutil
import sys
from py_compile import PycInvalidationMode

from etc.installer.account import service_user
from etc.installer.bundles import CONTENTS, lay_bundles
from etc.installer.dependencies import fetch_dependencies, find_dependencies, run
from etc.installer.files import closed_to_others
from etc.installer.places import Places, Trouble

# -I: neither the environment nor the current directory says what is imported; -S: `site` would cost
# more than all of ours. The stub itself is compiled at every start, so it is short.
STUB = """\
#!{python} -IS
import sys
sys.path.insert(0, {private!r})
{bundle}from pysendmail._paths import DEPENDENCIES
sys.path.extend(DEPENDENCIES)
from pysendmail.command.{module} import main
main()
"""

# sendmail starts for each message: its modules come out of one file (pysendmail/_bundle.py), and
# what they leave behind is looked for only in a process that does a lot.
BUNDLE = """\
from gc import set_threshold
set_threshold(20_000)
from _frozen_importlib_external import MAGIC_NUMBER
try:
    with open({path!r} + MAGIC_NUMBER.hex(), 'rb') as file:
        from marshal import loads
        code, modules = loads(file.read())
except (OSError, EOFError, ValueError, TypeError):
    pass  # of another Python, or not whole: the modules are imported one by one
else:
    exec(code)
    enter_modules(modules)
"""

# The kernel cuts a first line off after 127 octets (256 since Linux 5.1).
INTERPRETER_LIMIT = 127 - len("#! -IS\n")

FINISH = """
import sys
private, spool, config_file = sys.argv[1:]
sys.path.insert(0, private)
from pysendmail._paths import DEPENDENCIES
sys.path.extend(DEPENDENCIES)
from pysendmail.config.errors import ConfigError
from pysendmail.config.load import load
from pysendmail.config.snapshot_writer import write_snapshot
from pysendmail.spool.directory import DirectorySpool
DirectorySpool.create(spool).close()
try:
    write_snapshot(load({}, config_file))
except ConfigError as error:
    print(error)
"""


def stub_of(program: str, python: str, places: Places) -> str:
    """Return the text of an installed program."""
    bundle = BUNDLE.format(path=f"{places.bundles}/{program}.") if program in CONTENTS else ""
    return STUB.format(python=python, private=places.private, bundle=bundle, module=program)


def check_interpreter(python: str, places: Places) -> None:
    """Refuse a Python that no first line of a program can name; warn of one for root alone."""
    if len(os.fsencode(python)) > INTERPRETER_LIMIT or any(map(str.isspace, python)):
        raise Trouble(f"the first line of a program cannot hold {python!r}: name another PYTHON")
    if places.is_for_this_machine and places.is_system and (closed := closed_to_others(python)):
        sys.stderr.write(f"warning: only root can run {python} (see the mode of {closed})\n")


def check_libraries(directories: list[str], places: Places) -> None:
    """Refuse, for the whole system, libraries that the daemon's user does not get to."""
    if not (places.is_for_this_machine and places.is_system) or service_user(places) == "root":
        return
    for directory in directories:
        if closed := closed_to_others(directory):
            raise Trouble(
                f"only root can read {directory} (see the mode of {closed}), and the daemon is "
                "another user: name other DEPENDENCIES"
            )


def lay_modules(places: Places, fresh: str, python: str, given: str, extras: list[str]) -> None:
    """Make our directory complete at `fresh`: modules, dependencies, bytecode."""
    shutil.rmtree(fresh, ignore_errors=True)
    # with the modes of our umask, not those of the checkout; directories follow below
    shutil.copytree(
        "pysendmail",
        f"{fresh}/pysendmail",
        ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
        copy_function=shutil.copyfile,
    )
    dependencies = find_dependencies(python, given, extras)
    if dependencies is None:
        fetch_dependencies(python, f"{fresh}/vendor", extras)
        dependencies = [f"{places.private}/vendor"]
    else:
        check_libraries(dependencies, places)
    with open(f"{fresh}/pysendmail/_paths.py", "w", encoding="utf-8") as file:
        file.write(places.paths_module(dependencies))
    compile_modules(fresh, places.private)
    lay_bundles(fresh, places.private, python)
    for directory, _names, _files in os.walk(fresh):
        os.chmod(directory, 0o755)  # noqa: S103 - everybody runs sendmail


def compile_modules(fresh: str, final: str) -> None:
    """Compile everything below `fresh` for its final place, which tracebacks then name.

    Unchecked hashes: such bytecode is believed whatever the time stamps of the sources are, which
    archives, images and reproducible builds do not keep; it costs a stat less, too. Who edits an
    installed module has to run `make install` again.
    """
    compiled = compileall.compile_dir(
        fresh,
        quiet=1,
        force=True,
        stripdir=fresh,
        prependdir=final,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        raise Trouble(f"{sys.executable} cannot compile this")


def run_installed(places: Places, python: str) -> list[str]:
    """Let the installed modules make the inside of the spool and the snapshot of the configuration.

    Returns what is wrong with a configuration that was there. Trouble when they cannot be run.
    """
    arguments = [places.private, places.spool, places.config_file]
    done = run([python, "-IS", "-c", FINISH, *arguments])
    if done.returncode != 0:
        raise Trouble(f"what was installed does not run: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.splitlines()
