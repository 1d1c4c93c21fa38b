"""The contract stays compatible with the released one; its image changes with a release only."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_contract_is_compatible_with_released_one() -> None:
    buf = Path(sys.executable).parent / "buf"
    image = ROOT / "tests/contract/landed.binpb"
    completed = subprocess.run(
        [buf, "breaking", "--against", image], cwd=ROOT / "proto", capture_output=True, text=True
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
