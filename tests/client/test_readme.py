"""The program in the client documentation runs as it is written there."""

import re
import subprocess
import sys
from pathlib import Path

from tests.faults.server_process import ROOT, make_environment
from tests.waiting import PATIENCE_SECONDS


def test_documented_programs_record_and_ask(tmp_path: Path) -> None:
    document = (ROOT / "proto/README.md").read_text()
    programs = re.findall(r"^```python\n(.*?)^```$", document, re.S | re.M)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(programs)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env=make_environment(),
    )
    assert done.stdout.splitlines() == [
        "ash-1 1.0 0.0",
        "oak-2 0.0 1.0",
        "1",
        "0.0 0.0 ('TOO_FEW_ORGANIZATIONS', 'TOO_FEW_EXCHANGES')",
        "[['ash-1', 'oak-2', 1.0]]",
    ], done.stderr
    assert (tmp_path / "mutua-data" / "log.sqlite").exists()
