"""`mutua backup` and `mutua restore`, as people type them."""

from pathlib import Path

from tests.cli.cli_process import run_up
from tests.cli.conftest import RunCommand
from tests.cli.test_end_to_end import CALL


def test_restored_demo_gives_equal_answers(demo: RunCommand) -> None:
    run = demo
    backup = run("--data", ".demo", "backup", "demo.mutua")
    assert (backup.code, backup.err) == (0, "639 of 639 records copied\n")
    assert backup.out.splitlines() == [
        "Backed up: demo.mutua holds 639 facts.",
        "To restore it: mutua --data DIRECTORY restore demo.mutua",
    ]
    restore = run("--data", "again", "restore", "demo.mutua")
    verdict, hint = restore.out.splitlines()
    assert restore.code == 0
    assert verdict.startswith("Verified: again holds 639 facts, all that was recorded until 20")
    assert hint == "Next: mutua --data again status"
    for question in ("exchanges", "balances", "pairs", "organizations"):
        before, after = (
            run("--data", data, question, "--format", "json").answer for data in (".demo", "again")
        )
        assert before.pop("position") != after.pop("position")
        assert before == after


def test_existing_files_and_missing_data_are_refused(run: RunCommand) -> None:
    run(*CALL)
    assert run("backup", "one.mutua").code == 0
    usage_error = run("backup", "one.mutua", "--force", "--format=json")
    assert usage_error.code == 2
    second_backup = run("backup", "one.mutua")
    assert (second_backup.code, "one.mutua is there already" in second_backup.err) == (1, True)
    assert run("backup", "one.mutua", "--force").code == 0
    restore = run("restore", "one.mutua")
    assert (restore.code, "mutua-data holds data already" in restore.err) == (1, True)
    assert run("--data", "again", "restore", "none.mutua").code == 2
    assert run("--data", "nowhere", "backup", "two.mutua").code == 1
    assert not Path("two.mutua").exists()


def test_named_server_is_refused(run: RunCommand) -> None:
    for words in (("backup", "one.mutua"), ("restore", __file__)):
        result = run("--server", "127.0.0.1:1", *words)
        assert (result.code, "works on a data directory" in result.err) == (2, True)


def test_server_records_during_backup(run: RunCommand) -> None:
    run(*CALL)
    with run_up(Path("mutua-data")):
        assert run("backup", "one.mutua").code == 0
        assert run(*CALL).code == 0
    assert "holds 1 fact," in run("--data", "again", "restore", "one.mutua").out
