"""`backup` and `restore`, as people type them."""

from pathlib import Path

from tests.cli.conftest import RunCommand
from tests.cli.test_end_to_end import CALL, server


def test_the_demo_is_lost_and_restored(run: RunCommand) -> None:
    run("demo")
    made = run("--data", ".demo", "backup", "demo.mutua")
    assert (made.code, made.err) == (0, "624 of 624 records copied\n")
    assert made.out.splitlines() == [
        "Backed up: demo.mutua holds 624 facts.",
        "To restore it: mutua --data DIRECTORY restore demo.mutua",
    ]
    back = run("--data", "again", "restore", "demo.mutua")
    told, hint = back.out.splitlines()
    assert back.code == 0
    assert told.startswith("Verified: again holds 624 facts, all that was recorded until 20")
    assert hint == "Next: mutua --data again status"
    for question in ("exchanges", "balances", "pairs", "organizations"):
        before, after = (
            run("--data", data, question, "--format", "json").answer for data in (".demo", "again")
        )
        assert before.pop("position") != after.pop("position")
        assert before == after


def test_the_words_are_judged(run: RunCommand) -> None:
    run(*CALL)
    assert run("backup", "one.mutua").code == 0
    refused = run("backup", "one.mutua", "--force", "--format=json")
    assert refused.code == 2
    taken = run("backup", "one.mutua")
    assert (taken.code, "one.mutua is there already" in taken.err) == (1, True)
    assert run("backup", "one.mutua", "--force").code == 0
    held = run("restore", "one.mutua")
    assert (held.code, "mutua-data holds data already" in held.err) == (1, True)
    assert run("--data", "again", "restore", "none.mutua").code == 2
    assert run("--data", "nowhere", "backup", "two.mutua").code == 1
    assert not Path("two.mutua").exists()


def test_a_server_that_is_named_does_not_do_it(run: RunCommand) -> None:
    for words in (("backup", "one.mutua"), ("restore", __file__)):
        refused = run("--server", "127.0.0.1:1", *words)
        assert (refused.code, "works on a data directory" in refused.err) == (2, True)


def test_a_server_on_the_directory_goes_on(run: RunCommand) -> None:
    run(*CALL)
    with server(Path("mutua-data")):
        assert run("backup", "one.mutua").code == 0
        assert run(*CALL).code == 0
    assert "holds 1 fact," in run("--data", "again", "restore", "one.mutua").out
