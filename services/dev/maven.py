"""Jars from Maven Central."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from services.dev.programs import ProgramNotFoundError, run_program

_GOAL: Final = "dependency:copy-dependencies"


def fetch_from_maven(pom: Path, folder: Path, *, what: str) -> Path:
    """Returns a folder in `folder` with the jars that `pom` depends on, fetched once per content.

    Errors call the jars `what`. Raises ProgramNotFoundError if Maven is needed and missing;
    ProgramStartError if it fails.
    """
    jars = folder / hashlib.sha256(pom.read_bytes()).hexdigest()[:16]
    if jars.exists():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise ProgramNotFoundError(
            f"Maven, which fetches {what}, is missing (mvn)",
            remedy="on Debian and Ubuntu: apt install maven",
        )
    download = folder / f"{jars.name}.{os.getpid()}"
    run_program(
        f"Maven cannot fetch {what}",
        [maven, "-q", "-B", "-f", str(pom), _GOAL, f"-DoutputDirectory={download}"],
    )
    try:
        download.rename(jars)
    except OSError:  # another process has fetched them in the meantime
        shutil.rmtree(download)
    return jars
