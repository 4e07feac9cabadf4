"""make install and make uninstall: into a prefix, into a package's DESTDIR, over what others have.

What root does to a whole system (user, owners, diversions) is tested in test_install_system.py.
"""

from __future__ import annotations

import ast
import marshal
import os
import shutil
import socket
import stat
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from etc.installer import files
from etc.installer.dependencies import fetch_dependencies, find_dependencies, hint
from pysendmail import __version__
from pysendmail.submission.socket_door import is_served
from tests.helpers.installed import PATIENCE_S, REPOSITORY, SEARCH_PATH, run_program
from tests.helpers.waiting import wait_until

PROGRAMS = ("sbin/sendmail", "sbin/pysendmaild", "bin/pysendmail")
NAMES = (
    "lib/sendmail", "sbin/send-mail", "bin/mailq", "bin/newaliases", "bin/runq", "bin/hoststat",
    "bin/purgestat", "bin/rmail",
)  # fmt: skip
BUILT_IN = {  # of the interpreter itself: no file is looked for
    "from _frozen_importlib_external import MAGIC_NUMBER",
    "from gc import set_threshold",
    "from marshal import loads",
}
UNCHECKED_HASH = 0b01  # the flags word of bytecode, PEP 552


def make(
    target: str, *, uid: int | None = None, **settings: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run make with these settings, and the libraries of the tests, so that pip is not asked."""
    usual = {"DEPENDENCIES": sysconfig.get_path("purelib"), "PYTHON": sys.executable}
    return subprocess.run(
        [
            "make",
            "--silent",
            target,
            *(f"{name}={value}" for name, value in {**usual, **settings}.items()),
        ],
        cwd=REPOSITORY,
        env={"PATH": SEARCH_PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    )


def made(target: str, **settings: str | Path) -> str:
    """Run make, which must succeed; return what it said."""
    done = make(target, uid=None, **settings)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a failed installation has for its user; the other one is make's."""
    assert done.returncode != 0
    line, of_make = done.stderr.splitlines()
    assert of_make.startswith("make: ***")
    return line


def everything_in(directory: Path) -> set[str]:
    """Return all there is below a directory."""
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation of its own, not to be changed."""
    prefix = tmp_path_factory.mktemp("install") / "prefix"
    made("install", PREFIX=prefix)
    return prefix


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DESTDIR with an installation below /usr, not to be changed."""
    destdir = tmp_path_factory.mktemp("package") / "new"
    made("install", DESTDIR=destdir)
    return destdir


def bytecode_of(source: Path) -> Path:
    """Return where the bytecode of a module is, for the interpreter of the tests."""
    return source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_has_an_absolute_interpreter_without_site(prefix: Path, name: str) -> None:
    first, *_rest = (prefix / name).read_text().splitlines()
    interpreter, flags = first.removeprefix("#!").split(" ")
    assert os.path.isabs(interpreter)
    assert os.access(interpreter, os.X_OK)
    assert flags == "-IS"


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_itself_imports_nothing_but_sys_and_ours(prefix: Path, name: str) -> None:
    tree = ast.parse((prefix / name).read_text())
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {ast.unparse(node) for node in imported} - BUILT_IN == {
        "import sys",
        "from pysendmail._paths import DEPENDENCIES",
        f"from pysendmail.command.{Path(name).name} import main",
    }


def modules_looked_for(prefix: Path, *words: str) -> list[str]:
    """Return the modules of ours that an installed sendmail looked for one by one.

    It is to send a message, which it cannot: nothing is configured in that prefix.
    """
    command = [sys.executable, "-IS", "-X", "importtime", str(prefix / "sbin/sendmail"), *words]
    done = subprocess.run(
        command, env={}, input="Subject: t\n\n", capture_output=True, text=True, check=False
    )
    assert "sendmail: " not in done.stderr
    imported = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines()]
    return [name for name in imported if name.startswith("pysendmail")]


def test_sendmail_finds_its_modules_in_bundles(prefix: Path, tmp_path: Path) -> None:
    copy = tmp_path / "prefix"  # the programs go on where they were installed
    made("install", PREFIX=copy)
    assert modules_looked_for(copy, "-odq", "root@example.com") == []
    assert len(list((copy / "var/spool/pysendmail/queue").iterdir())) == 1
    for bundle in (copy / "lib/pysendmail/bundles").iterdir():
        bundle.rename(bundle.with_suffix(".00000d0a"))  # as one with other bytecode finds them
    assert "pysendmail.submission.direct" in modules_looked_for(copy, "-odq", "root@example.com")
    assert len(list((copy / "var/spool/pysendmail/queue").iterdir())) == 2


@pytest.mark.parametrize("step", ["one", "two"])
def test_new_directory_takes_the_place_of_the_one_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    used, fresh = tmp_path / "used", tmp_path / "fresh"
    for directory in (used, fresh):
        directory.mkdir()
        (directory / directory.name).touch()
    if step == "two":
        monkeypatch.setattr(files, "swap", lambda *_: False)
    elif files.swap(str(used), str(fresh)) and files.swap(str(used), str(fresh)):
        monkeypatch.delattr(os, "rename")
    else:
        pytest.skip("a file system that cannot exchange two names")
    files.exchange(str(fresh), str(used))
    assert everything_in(tmp_path) == {"used", "used/fresh"}


def test_sendmail_does_without_bundles_that_are_not_whole(tmp_path: Path) -> None:
    made("install", PREFIX=tmp_path)
    for bundle in (tmp_path / "lib/pysendmail/bundles").iterdir():
        os.truncate(bundle, bundle.stat().st_size // 2)
    assert "pysendmail.submission.direct" in modules_looked_for(
        tmp_path, "-odq", "root@example.com"
    )
    assert len(list((tmp_path / "var/spool/pysendmail/queue").iterdir())) == 1


@pytest.mark.parametrize("bundle", ["sendmail", "drop_door", "direct_door", "spool"])
def test_bundle_holds_each_module_with_its_place(prefix: Path, bundle: str) -> None:
    private = prefix / "lib/pysendmail"
    content = (private / "bundles" / f"{bundle}.{MAGIC_NUMBER.hex()}").read_bytes()
    _reader, modules = marshal.loads(content)
    names = [name for name, _directory, _code in modules]
    assert len(names) == len(set(names)) > 5
    for name, directory, code in modules:
        place = private / name.replace(".", "/")
        assert directory in ("", str(place))
        assert code.co_filename == str(place / "__init__.py" if directory else f"{place}.py")


@pytest.mark.parametrize("name", NAMES)
def test_other_name_leads_to_sendmail(prefix: Path, name: str) -> None:
    assert (prefix / name).resolve() == (prefix / "sbin/sendmail").resolve()
    assert not os.path.isabs(os.readlink(prefix / name))  # right inside a DESTDIR, too


@pytest.mark.parametrize("name", [name for name in NAMES if name != "lib/sendmail"])
def test_other_name_has_the_manual_page_of_sendmail(prefix: Path, name: str) -> None:
    page = prefix / "share/man/man8" / f"{Path(name).name}.8"
    assert page.resolve() == (prefix / "share/man/man8/sendmail.8").resolve()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bin/mailq", b"Mail queue is empty\n"),
        ("bin/newaliases", b""),
        ("bin/hoststat", b""),
        ("bin/purgestat", b""),
    ],
)
def test_other_name_does_its_own_work(prefix: Path, name: str, said: bytes) -> None:
    done = run_program([str(prefix / name)])
    assert (done.returncode, done.stdout, done.stderr) == (0, said, b"")


@pytest.mark.parametrize("name", ["bin/rmail", "sbin/send-mail", "lib/sendmail"])
def test_other_name_that_sends_wants_recipients(prefix: Path, name: str) -> None:
    assert run_program([str(prefix / name)]).returncode == 64


def test_installation_in_a_prefix_uses_its_own_places(prefix: Path) -> None:
    told = run_program([str(prefix / "bin/pysendmail"), "check", "--offline"]).stdout.decode()
    assert f"configuration: {prefix}/etc/pysendmail/pysendmail.yaml\n" in told
    assert run_program([str(prefix / "bin/mailq")]).stdout == b"Mail queue is empty\n"


def test_documents_and_units_name_the_paths_of_the_installation(prefix: Path) -> None:
    service = (prefix / "lib/systemd/system/pysendmail.service").read_text()
    assert f"\nExecStart={prefix}/sbin/pysendmaild " in service
    assert f"\nReadWritePaths={prefix}/var/spool/pysendmail\n" in service
    assert f"{prefix}/etc/pysendmail" in (prefix / "share/man/man8/sendmail.8").read_text()


def test_no_number_of_starts_takes_the_socket_down(package: Path) -> None:
    """By systemd's default the sixth start within ten seconds fails, and its socket too."""
    [service] = package.rglob("pysendmail.service")
    unit, _ = service.read_text().split("[Service]")
    assert "\nStartLimitIntervalSec=0\n" in unit


def test_every_module_is_compiled_for_its_final_place_and_believed_unchecked(package: Path) -> None:
    modules = sorted((package / "usr/lib/pysendmail/pysendmail").rglob("*.py"))
    assert len(modules) > 50
    for module in modules:
        bytecode = bytecode_of(module).read_bytes()
        assert int.from_bytes(bytecode[4:8], "little") == UNCHECKED_HASH, module
        code = marshal.loads(bytecode[16:])
        assert code.co_filename == f"/{module.relative_to(package)}"


def test_package_holds_nothing_of_its_destdir(package: Path) -> None:
    for path in package.rglob("*"):
        if path.is_file():
            assert os.fsencode(package) not in path.read_bytes(), path


def test_package_holds_a_spool_that_anybody_may_add_to(package: Path) -> None:
    spool = package / "var/spool/pysendmail"
    assert stat.S_IMODE(spool.stat().st_mode) == 0o711
    assert stat.S_IMODE((spool / "drop").stat().st_mode) == 0o3733


def test_everybody_may_read_what_is_installed_whatever_the_umask(tmp_path: Path) -> None:
    command = ["make", "--silent", "-C", str(REPOSITORY), "install", f"DESTDIR={tmp_path}"]
    settings = [f"DEPENDENCIES={sysconfig.get_path('purelib')}", f"PYTHON={sys.executable}"]
    subprocess.run([*command, *settings], umask=0o077, check=True, stdout=subprocess.DEVNULL)
    for path in (tmp_path / "usr").rglob("*"):
        mode = path.lstat().st_mode
        assert stat.S_ISLNK(mode) or mode & 0o044 == 0o044, path
        assert not stat.S_ISDIR(mode) or mode & 0o011 == 0o011, path


@pytest.fixture
def hostile_directory(tmp_path: Path) -> Path:
    """A directory with a module of our name, and one of the standard library's, that are traps."""
    for name in ("pysendmail", "os", "marshal"):
        (tmp_path / f"{name}.py").write_text("import sys; sys.exit('trapped')\n")
    return tmp_path


@pytest.mark.parametrize("closed", [(), (0,), (0, 2), (2,)], ids=str)
def test_sendmail_starts_in_hostile_surroundings(
    prefix: Path, hostile_directory: Path, closed: tuple[int, ...]
) -> None:
    hostile = {
        "PYTHONPATH": str(hostile_directory),
        "PYTHONHOME": "/nonexistent",
        "PYTHONINSPECT": "1",
        "PYTHONWARNINGS": "error",
        "PYTHONIOENCODING": "nonsense",
        "LC_ALL": "nonsense",
    }
    started = run_program(
        [
            "/bin/sh",
            "-c",
            f'cd {hostile_directory} && exec "$0" --version',
            f"{prefix}/sbin/sendmail",
        ],
        env=hostile,
        closed=closed,
    )
    assert started.returncode == 0, started
    assert started.stdout == f"pysendmail {__version__}\n".encode()
    assert started.stderr == b""


def test_uninstall_leaves_configuration_and_spool_and_nothing_else(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    made("install", PREFIX=prefix)
    said = made("uninstall", PREFIX=prefix)
    assert f"{prefix}/etc/pysendmail" in said
    assert f"{prefix}/var/spool/pysendmail" in said
    left = {path for path in everything_in(prefix) if not path.startswith("var/spool/pysendmail/")}
    assert left == {
        "etc",
        "etc/pysendmail",
        "etc/pysendmail/pysendmail.yaml",
        "var",
        "var/spool",
        "var/spool/pysendmail",
    }


def test_uninstall_keeps_what_others_have_put_beside_and_over_it(tmp_path: Path) -> None:
    made("install", PREFIX=tmp_path)
    (tmp_path / "bin/other").touch()
    (tmp_path / "sbin/sendmail").write_text("of somebody else")
    said = made("uninstall", PREFIX=tmp_path)
    assert (
        f"left alone, since it was changed after the installation: {tmp_path}/sbin/sendmail" in said
    )
    assert everything_in(tmp_path / "bin") == {"other"}
    assert everything_in(tmp_path / "sbin") == {"sendmail"}


def test_uninstall_of_nothing_says_so(tmp_path: Path) -> None:
    assert made("uninstall", PREFIX=tmp_path) == f"nothing is installed below {tmp_path}\n"


def test_second_installation_replaces_the_first_and_keeps_the_configuration(tmp_path: Path) -> None:
    made("install", PREFIX=tmp_path)
    outdated = tmp_path / "lib/pysendmail/pysendmail/outdated.py"
    outdated.touch()
    configuration = tmp_path / "etc/pysendmail/pysendmail.yaml"
    configuration.write_text("origin: example.com\n")
    before = everything_in(tmp_path) - {str(outdated.relative_to(tmp_path))}
    said = made("install", PREFIX=tmp_path)
    assert said.endswith(f"next: run {tmp_path}/bin/pysendmail check\n")
    assert everything_in(tmp_path) == before
    assert configuration.read_text() == "origin: example.com\n"


def test_second_installation_tells_what_is_wrong_with_the_configuration(tmp_path: Path) -> None:
    made("install", PREFIX=tmp_path)
    (tmp_path / "etc/pysendmail/pysendmail.yaml").write_text("smarthots: x\n")
    assert "unknown key (did you mean 'smarthost'?)" in made("install", PREFIX=tmp_path)


def test_daemon_that_runs_is_told_of(tmp_path: Path) -> None:
    made("install", PREFIX=tmp_path)
    program = f"{tmp_path}/sbin/pysendmaild"
    daemon = subprocess.Popen([program, "--foreground"], env={"PATH": SEARCH_PATH})
    try:
        wait_until(lambda: is_served(f"{tmp_path}/run/pysendmail/submit.sock"), seconds=PATIENCE_S)
        said = made("install", PREFIX=tmp_path)
        anew = f"then start the daemon anew: what runs, pid {daemon.pid}, is what was installed"
        assert anew in said.splitlines()[-1]
        said = made("uninstall", PREFIX=tmp_path)
        assert f"still running, until you end it: {program}, pid {daemon.pid}\n" in said
    finally:
        daemon.terminate()
        assert daemon.wait(PATIENCE_S) == 0


def test_uninstall_takes_away_the_socket_that_a_daemon_left(tmp_path: Path) -> None:
    made("install", PREFIX=tmp_path)
    (tmp_path / "run/pysendmail").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/run/pysendmail/submit.sock")
    made("uninstall", PREFIX=tmp_path)
    assert "run" not in everything_in(tmp_path)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A prefix where another mail system's sendmail and mailq are."""
    for name in ("sbin", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "sbin/sendmail").write_text("of another")
    (tmp_path / "bin/mailq").symlink_to("../sbin/sendmail")
    return tmp_path


def test_sendmail_of_another_is_not_overwritten(foreign: Path) -> None:
    before = everything_in(foreign)
    line = complaint(make("install", PREFIX=foreign))
    assert f"{foreign}/sbin/sendmail" in line
    assert "DIVERT=yes" in line
    assert everything_in(foreign) == before
    assert (foreign / "sbin/sendmail").read_text() == "of another"


def test_sendmail_of_another_is_moved_aside_on_demand_and_comes_back(foreign: Path) -> None:
    made("install", PREFIX=foreign, DIVERT="yes")
    assert (foreign / "sbin/sendmail").read_text().startswith("#!")
    assert (foreign / "sbin/sendmail.distrib").read_text() == "of another"
    made("install", PREFIX=foreign)  # what is ours by now needs no DIVERT
    made("uninstall", PREFIX=foreign)
    assert (foreign / "sbin/sendmail").read_text() == "of another"
    assert os.readlink(foreign / "bin/mailq") == "../sbin/sendmail"
    assert everything_in(foreign / "sbin") == {"sendmail"}


def test_module_that_does_not_compile_leaves_everything_as_it_was(tmp_path: Path) -> None:
    checkout, prefix = tmp_path / "checkout", tmp_path / "prefix"
    copied = ["pysendmail", "systemd", "etc", "docs", "Makefile", "setup.cfg"]
    copied += ["README.md", "CHANGELOG.md", "LICENSE"]
    checkout.mkdir()
    subprocess.run(["cp", "-r", *copied, checkout], cwd=REPOSITORY, check=True)
    install = ["make", "--silent", "-C", str(checkout), "install", f"PREFIX={prefix}"]
    install += [f"DEPENDENCIES={sysconfig.get_path('purelib')}", f"PYTHON={sys.executable}"]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    before = everything_in(prefix)
    (checkout / "pysendmail/command/sendmail.py").write_text("def broken(:\n")
    failed = subprocess.run(install, capture_output=True, text=True, check=False)
    assert failed.returncode != 0
    assert "cannot compile" in failed.stderr
    assert everything_in(prefix) == before
    assert run_program([str(prefix / "sbin/sendmail"), "--version"]).returncode == 0


@pytest.mark.root
def test_missing_right_is_one_line(tmp_path: Path) -> None:
    done = make("install", uid=65534, PREFIX="/usr/local", PYTHON="")
    assert "no right to write in /" in complaint(done)


@pytest.mark.parametrize(
    ("python", "words"),
    [("/nonexistent", "is no program"), ("/bin/false", "needs Python 3.11 or newer")],
)
def test_missing_python_is_one_line(tmp_path: Path, python: str, words: str) -> None:
    assert words in complaint(make("install", PREFIX=tmp_path, PYTHON=python))
    assert everything_in(tmp_path) == set()


def test_libraries_that_are_not_where_they_are_said_to_be_are_one_line(tmp_path: Path) -> None:
    line = complaint(make("install", PREFIX=tmp_path / "prefix", DEPENDENCIES=tmp_path))
    assert f"cannot import yaml and daemon from DEPENDENCIES={tmp_path}" in line
    assert everything_in(tmp_path) == set()


def test_extra_that_there_is_not_is_one_line(tmp_path: Path) -> None:
    line = complaint(make("install", PREFIX=tmp_path / "prefix", EXTRAS="proxy,prxy"))
    assert "EXTRAS=proxy,prxy: prxy is none of proxy, gssapi" in line
    assert everything_in(tmp_path) == set()


def test_relative_prefix_is_refused() -> None:
    assert "must be absolute" in complaint(make("install", PREFIX="somewhere"))


@pytest.mark.parametrize("shim", [True, False], ids=["shim", "virtualenv"])
def test_interpreter_is_the_real_one_behind_a_shim_and_a_virtualenv(
    tmp_path: Path, *, shim: bool
) -> None:
    python = tmp_path / "bin/python3"
    if shim:
        python.parent.mkdir()
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
    else:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    found = subprocess.run(
        [REPOSITORY / "etc/installer/find-python", python],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert found == os.path.realpath(sys.executable)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all the package index pip knows, with wheels of our two libraries."""
    write_wheel(tmp_path, "pyyaml", "yaml", "6.99")
    write_wheel(tmp_path, "python_daemon", "daemon", "3.99")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.chdir(REPOSITORY)
    return tmp_path


def write_wheel(directory: Path, name: str, module: str, version: str) -> None:
    """Write a wheel of a package with one module, which knows its version and has a `sync`."""
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{module}/__init__.py", f"__version__ = {version!r}\n")
        wheel.writestr(f"{module}/sync.py", "")
        for file, text in (
            ("METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"),
            ("WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
            ("RECORD", ""),
        ):
            wheel.writestr(f"{name}-{version}.dist-info/{file}", text)


def test_libraries_that_the_system_lacks_come_into_our_own_directory(wheels: Path) -> None:
    fetch_dependencies(sys.executable, str(wheels / "vendor"))
    assert {"yaml", "daemon"} <= everything_in(wheels / "vendor")


def test_library_of_an_extra_comes_along_when_it_is_asked_for_and_new_enough(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(wheels, "python_socks", "python_socks", "3.99")
    fetch_dependencies(sys.executable, str(wheels / "vendor"), ["proxy"])
    assert "python_socks" in everything_in(wheels / "vendor")
    assert find_dependencies(sys.executable, str(wheels / "vendor"), ["proxy"])
    monkeypatch.setattr("etc.installer.dependencies.FIND", f"print({str(wheels / 'vendor')!r})")
    version = wheels / "vendor/python_socks/__init__.py"
    assert find_dependencies(sys.executable, "", ["proxy"])
    version.write_text("__version__ = '2.0.3'\n")
    assert find_dependencies(sys.executable, "", ["proxy"]) is None


@pytest.mark.parametrize(
    ("extras", "packages"),
    [
        ([], "python3-yaml python3-daemon"),
        (["gssapi"], "python3-yaml python3-daemon python3-gssapi"),
        (["proxy"], "python3-yaml python3-daemon python3-pip"),
    ],
)
def test_hint_names_what_helps(extras: list[str], packages: str) -> None:
    assert hint(extras) == f"apt-get install {packages}"


def test_environment_that_is_only_linked_here_is_not_cleared(tmp_path: Path) -> None:
    checkout, shared = tmp_path / "checkout", tmp_path / "shared"
    shutil.copytree(REPOSITORY / "etc", checkout / "etc")
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, checkout)
    shared.mkdir()
    (shared / "theirs").touch()
    (checkout / ".venv").symlink_to(shared)
    made = subprocess.run(
        ["make", "-C", str(checkout), ".venv/complete"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode != 0
    assert ".venv is a link" in made.stderr
    assert (shared / "theirs").exists()
