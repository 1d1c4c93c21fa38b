"""A directory of exported files that change together."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from services.adapters.file_system import sync_to_disk
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
    leaves the directory as it was.
    """
    is_new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    folder = directory / f"{_TEMPORARY}{os.getpid()}"
    try:
        folder.mkdir()
        yield folder
        files = sorted(folder.iterdir(), key=lambda file: (file.name == last, file.name))
        for file in files:
            sync_to_disk(file)
        for name in reversed(stale):
            (directory / name).unlink(missing_ok=True)
        for file in files:
            file.replace(directory / file.name)
        sync_to_disk(directory)
    except OSError as error:
        error.filename = str(directory)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if is_new:
            with suppress(OSError):  # it has the files
                directory.rmdir()


def _list_files(directory: Path) -> list[Path]:
    """Without folders that an interrupted export left behind."""
    return [file for file in directory.iterdir() if not file.name.startswith(_TEMPORARY)]
