"""Packages of Node for the tests, downloaded once into `.clients` by the hashes of a lock file."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from services.dev.programs import ProgramNotFoundError

ROOT: Final = Path(__file__).parents[1]
_MANIFEST: Final = ("package.json", "package-lock.json")


def fetch_packages(source: Path) -> Path:
    """The folder `node_modules` with the packages that the lock file in `source` names.

    Raises ProgramNotFoundError if Node is missing or npm cannot install them.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise ProgramNotFoundError(
            "Node is missing (node, npm); on Debian and Ubuntu: apt install nodejs npm"
        )
    content = b"".join((source / name).read_bytes() for name in _MANIFEST)
    folder = ROOT / ".clients" / hashlib.sha256(content).hexdigest()[:16]
    if folder.exists():
        return folder / "node_modules"
    temporary = folder.with_suffix(f".{os.getpid()}")
    temporary.mkdir(parents=True)
    for name in _MANIFEST:
        shutil.copy(source / name, temporary)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=temporary, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(temporary)
        raise ProgramNotFoundError(f"npm cannot fetch the packages of {source}: {done.stderr}")
    try:
        temporary.rename(folder)
    except OSError:  # another process has installed them meanwhile
        shutil.rmtree(temporary)
    return folder / "node_modules"
