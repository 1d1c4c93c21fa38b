"""Generates `reader.py`, `analysis.py` and `watch.py` from their async twins, without async."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

_LIBRARY: Final = Path(__file__).parents[2] / "proto/mutua"
TARGETS: Final = {
    _LIBRARY / "reader.py": "The questions of `Client`.",
    _LIBRARY / "analysis.py": "Analyses of `Client`.",
    _LIBRARY / "watch.py": "Watches of `Client`.",
}
"""The generated files, and what they are; `async_` before their name is their source."""
_RUFF: Final = (["check", "--select", "I", "--fix"], ["format"])


def generate(target: Path) -> str:
    """The blocking module that belongs to the source."""
    source = target.with_name(f"async_{target.name}")
    _, _, code = source.read_text().partition("\n")
    code = re.sub(r"\b(async|await) |\basync_(?=[a-z]+ import)|\bAsync(?=[A-Z])", "", code)
    code = re.sub(r"\b__a(?=iter|next|enter|exit)", "__", code)
    code = re.sub(r"\baclos(?=e\(|ing\b)", "clos", code)
    code = re.sub(r"\bAsyncGenerator\b", "Generator", code).replace("anext(", "next(")
    code = re.sub(r"Generator\[(.*), None\]:", r"Generator[\1, None, None]:", code)
    text = f'"""{TARGETS[target]} Generated from `{source.name}` by `make proto`."""\n{code}'
    for command in _RUFF:
        words = [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--quiet",
            f"--stdin-filename={target}",
            "-",
        ]
        text = subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout
    return text


if __name__ == "__main__":
    for path in TARGETS:
        path.write_text(generate(path))
