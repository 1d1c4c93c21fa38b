"""Generates `mutua/reader.py` from `mutua/async_reader.py`: the same without async and await."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

_LIBRARY: Final = Path(__file__).parents[2] / "proto/mutua"
SOURCE: Final = _LIBRARY / "async_reader.py"
TARGET: Final = _LIBRARY / "reader.py"
_HEADER: Final = (
    '"""The questions of `Client`. Generated from `async_reader.py` by `make proto`."""'
)
_RUFF: Final = (["check", "--select", "I", "--fix"], ["format"])


def generate() -> str:
    """The blocking reader that belongs to the source."""
    _, _, code = SOURCE.read_text().partition("\n")
    code = re.sub(r"\b(async|await) |\basync_(?=connection)|\bAsync(?=[A-Z])", "", code)
    text = f"{_HEADER}\n{code}"
    for command in _RUFF:
        words = [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--quiet",
            f"--stdin-filename={TARGET}",
            "-",
        ]
        text = subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout
    return text


if __name__ == "__main__":
    TARGET.write_text(generate())
