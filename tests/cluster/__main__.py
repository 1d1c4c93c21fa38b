"""Fetches the broker and looks for PostgreSQL, and says what is missing. Exits 1 then in CI."""

import os
import sys

from services.dev.broker import fetch_jars
from services.dev.postgres import find_programs
from services.dev.programs import ProgramNotFoundError, ProgramStartError

missing = False
for need in (fetch_jars, find_programs):
    try:
        need()
    except (ProgramNotFoundError, ProgramStartError) as error:
        missing = True
        print(f"Tests of the cluster cannot run: {error.message}", file=sys.stderr)
sys.exit(1 if missing and os.environ.get("CI") else 0)
