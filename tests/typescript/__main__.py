"""Checks the types of all JavaScript in `services` with TypeScript (`make lint`).

Without Node the check is left out with a message; CI must have Node.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from services.dev.programs import ProgramNotFoundError
from tests.node_packages import ROOT, fetch_packages

_FOLDER: Final = Path(__file__).parent
_HELP: Final = """\
Types stand in JSDoc: /** @param {number} width */ before a function, and
(/** @type {Tie} */ tie) => ... where TypeScript cannot infer a parameter. An object that several
modules use is a @typedef of one of them: @param {import("./app.js").Page} page."""


def main() -> int:
    try:
        modules = fetch_packages(_FOLDER)
    except ProgramNotFoundError as error:
        print(f"Types of JavaScript are not checked: {error.message}", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    compiler = modules / "typescript" / "bin" / "tsc"
    project = _FOLDER / "tsconfig.json"
    command = ["node", str(compiler), "--pretty", "false", "--project", str(project)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode != 0:
        print(_HELP, file=sys.stderr)
    return done.returncode


sys.exit(main())
