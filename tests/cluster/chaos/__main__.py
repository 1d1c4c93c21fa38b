"""`python -m tests.cluster.chaos --rounds 200 --seed 1`: see ../README.md."""

import argparse
import random
import shutil
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

from tests.cluster.chaos.rounds import RECOVERY_SECONDS, Run, run
from tests.cluster.chaos.summing_up import summary

SESSION_SECONDS = 10.0
"""What projectors have when nothing else is set."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.cluster.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="a number; default: any")
    parser.add_argument("--only", default="", help="words of a choice, such as 'projector'")
    parser.add_argument("--session", type=float, default=SESSION_SECONDS)
    parser.add_argument("--patience", type=float, default=RECOVERY_SECONDS)
    given = parser.parse_args()
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    folder = Path(mkdtemp(prefix="mutua-chaos-"))
    folder.chmod(0o711)  # PostgreSQL may have to run as another user
    print(f"seed {seed}, {given.rounds} rounds, in {folder}", flush=True)
    started = time.monotonic()
    try:
        found = run(
            folder,
            rounds=given.rounds,
            seed=seed,
            session_seconds=given.session,
            patience_seconds=given.patience,
            only=given.only,
            say=lambda line: print(line, flush=True),
        )
    except AssertionError as error:
        print(f"{error}\nseed {seed}; what the processes said is in {folder}/logs", flush=True)
        return 1
    _tell(found, time.monotonic() - started)
    shutil.rmtree(folder)
    return 0


def _tell(found: Run, seconds: float) -> None:
    print("\n".join(summary(found, seconds)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
