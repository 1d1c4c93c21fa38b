"""Virtual environments with this mutua and the lowest versions of its dependencies."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from services.dev.programs import ProgramNotFoundError
from tests.backing_services import build_or_skip

ROOT: Final = Path(__file__).parent.parent
LOWEST_PYTHON: Final = (3, 11)


@contextmanager
def install_lowest_versions(*others: str) -> Iterator[Path]:
    """The folder of the programs of an environment that lasts for the block.

    It has this mutua, the lowest versions that pyproject.toml declares, and the requirements
    `others`. The test is skipped where no package registry can be reached, and fails in CI.
    """
    if sys.version_info[:2] != LOWEST_PYTHON:
        pytest.skip("the lowest versions have wheels for Python 3.11, the lowest Python")
    with TemporaryDirectory(prefix="mutua-environment-") as name:
        build_or_skip(lambda: _install(Path(name), others))
        yield Path(name, "bin")


def run_program(*command: str | Path, **environment: str) -> str:
    """The standard output of a program. Raises CalledProcessError if it fails."""
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def _install(environment: Path, others: tuple[str, ...]) -> None:
    """Raises ProgramNotFoundError if a package cannot be fetched."""
    uv = Path(sys.executable).parent / "uv"
    run_program(uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment)
    install = (uv, "pip", "install", "--quiet", "--resolution", "lowest-direct")
    try:
        run_program(*install, ROOT, *others, VIRTUAL_ENV=str(environment))
    except subprocess.CalledProcessError as error:
        raise ProgramNotFoundError(
            f"the lowest versions cannot be installed: {error.stderr}"
        ) from error
