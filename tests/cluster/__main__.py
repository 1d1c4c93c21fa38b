"""Fetches the broker and finds PostgreSQL. Names a missing program, and exits with 1 in CI."""

import os
import sys

from services.dev.broker import fetch_jars
from services.dev.postgres import find_programs
from services.dev.programs import ProgramNotFoundError, ProgramStartError

is_incomplete = False
for require in (fetch_jars, find_programs):
    try:
        require()
    except (ProgramNotFoundError, ProgramStartError) as error:
        is_incomplete = True
        print(f"Tests of the cluster cannot run: {error.message}", file=sys.stderr)
sys.exit(1 if is_incomplete and os.environ.get("CI") else 0)
