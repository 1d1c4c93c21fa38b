"""A failed fsync ends appending, and the next open decides what the file holds."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from services.adapters.sqlite.log import SqliteLog
from tests.waiting import PATIENCE_SECONDS

APPEND = """
import json, sys
from pathlib import Path
from services.adapters.sqlite.log import SqliteLog
failures, outcomes = [], []
log = SqliteLog(Path(sys.argv[1]), on_failure=failures.append)
for number in range(8):
    try:
        appended = log.append("default", [b"%d" % number])
        outcomes.append(appended.result().next_offset)
    except Exception as error:
        outcomes.append(error.reason)
log.close()
print(json.dumps([failures, outcomes]))
"""


@pytest.mark.parametrize("failing", [1, 3, 6])
def test_failed_fsync_ends_appending(tmp_path: Path, failing: int) -> None:
    strace = shutil.which("strace")
    if strace is None:
        assert not os.environ.get("CI"), "CI must have strace: apt install strace"
        pytest.skip("strace is not installed: apt install strace")
    path = tmp_path / "log.sqlite"
    SqliteLog(
        path
    ).close()  # strace counts by thread; the writer of an existing log syncs appends only
    inject = f"inject=fdatasync,fsync:error=EIO:when={failing}"
    traced = [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", inject]
    done = subprocess.run(
        [*traced, sys.executable, "-c", APPEND, str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    failures, outcomes = json.loads(done.stdout)
    assert len(failures) == 1
    assert "restart mutua: the file decides" in failures[0]
    acknowledged = [each for each in outcomes if isinstance(each, int)]
    assert acknowledged == [*range(1, len(acknowledged) + 1)]
    assert outcomes[len(acknowledged) :] == ["OUTCOME_UNKNOWN"] + ["LOG_DOWN"] * (
        7 - len(acknowledged)
    )
    with closing(SqliteLog(path)) as log:
        assert log.end() in (len(acknowledged), len(acknowledged) + 1)
        assert log.find_damage() == ([], None)
        assert [each.value for each in log.read(0, 9)] == [b"%d" % n for n in range(log.end())]
