"""Fetches broker and Gephi, finds PostgreSQL. Names missing programs, and exits with 1 in CI."""

import os
import sys

from services.dev.broker import fetch_jars
from services.dev.postgres import find_programs
from services.dev.programs import ProgramNotFoundError, ProgramStartError
from tests.gephi.engine import fetch_gephi

is_incomplete = False
for require, purpose in (
    (fetch_jars, "of the cluster"),
    (find_programs, "of the cluster"),
    (fetch_gephi, "with Gephi"),
):
    try:
        require()
    except (ProgramNotFoundError, ProgramStartError) as error:
        is_incomplete = True
        print(f"Tests {purpose} cannot run: {error.message}", file=sys.stderr)
sys.exit(1 if is_incomplete and os.environ.get("CI") else 0)
