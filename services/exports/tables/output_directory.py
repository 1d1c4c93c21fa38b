"""A directory of exported files that change together."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from services.adapters.file_system import sync_to_disk, try_lock
from services.exports.export_file import UnusableFileError

_TEMPORARY: Final = ".mutua-export."


def require_usable(directory: Path, *, force: bool) -> None:
    """Raises UnusableFileError when the directory has files and `force` is false."""
    if not force and directory.exists() and _list_files(directory):
        raise UnusableFileError(
            f"{directory} has files already", remedy="choose another directory, or say --force"
        )


@contextmanager
def replace_files(directory: Path, *, stale: Sequence[str], last: str) -> Iterator[Path]:
    """Yields an empty folder, whose files get their places when the block ends without an error.

    Creates the directory where it is missing. Before, `stale` files of the directory are removed;
    all other files stay. The file `last` gets its place after all others. A failure in the block
    leaves the directory as it was. Raises UnusableFileError when another export writes to it.
    """
    is_new = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _lock(directory), _temporary_folder(directory) as folder:
            yield folder
            _move(folder, directory, stale, last)
    except OSError as error:
        error.filename = str(directory)
        raise
    finally:
        if is_new:
            with suppress(OSError):  # it has the files
                directory.rmdir()


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        if not try_lock(descriptor):
            raise UnusableFileError(
                f"another export is writing to {directory}", remedy="wait for its end"
            )
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _temporary_folder(directory: Path) -> Iterator[Path]:
    folder = directory / f"{_TEMPORARY}{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, directory: Path, stale: Sequence[str], last: str) -> None:
    files = sorted(folder.iterdir(), key=lambda file: (file.name == last, file.name))
    for file in files:
        sync_to_disk(file)
    for name in reversed(stale):
        (directory / name).unlink(missing_ok=True)
    for file in files:
        file.replace(directory / file.name)
    sync_to_disk(directory)


def _list_files(directory: Path) -> list[Path]:
    """Without folders that an interrupted export left behind."""
    return [file for file in directory.iterdir() if not file.name.startswith(_TEMPORARY)]
