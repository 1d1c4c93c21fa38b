"""The contract stays compatible with the one that landed; the image moves with a release only."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_no_change_breaks_the_landed_contract() -> None:
    buf = Path(sys.executable).parent / "buf"
    image = ROOT / "tests/contract/landed.binpb"
    judged = subprocess.run(
        [buf, "breaking", "--against", image], cwd=ROOT / "proto", capture_output=True, text=True
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr
