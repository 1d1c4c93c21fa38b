"""What deploy/Dockerfile says, and that the image works: as anybody, with nowhere to write."""

import subprocess
import tomllib
from collections.abc import Sequence

import pytest

from tests.deploy.container_rules import assert_known_command, assert_pinned
from tests.deploy.dockerfile import DOCKERFILE, ROOT, Stage, parse_stages, read_build_context
from tests.deploy.image import Image


@pytest.fixture(scope="module")
def said() -> list[Stage]:
    return parse_stages(DOCKERFILE.read_text())


def run(image: Image, command: Sequence[str]) -> str:
    done = subprocess.run(
        image.wrap_command(command, {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout


def test_every_stage_is_of_one_pinned_python_that_the_locks_are_made_for(said: list[Stage]) -> None:
    [base] = {stage.base for stage in said}
    assert_pinned(base)
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert base.startswith(f"python:{lowest.removeprefix('>=')}-slim-")


def test_what_is_installed_is_what_the_lock_says(said: list[Stage]) -> None:
    installs = [
        step.words
        for stage in said
        for step in stage.steps
        if step.name == "RUN" and "install" in step.words
    ]
    locked, ours = installs
    assert {"--require-hashes", "--only-binary", "requirements.lock"} <= set(locked)
    assert {"--no-deps", "--no-build-isolation", "."} <= set(ours)


def test_no_process_of_it_is_root_and_its_command_exists(said: list[Stage], image: Image) -> None:
    user, _, group = said[-1].find_last("USER").partition(":")
    assert int(user) >= 10_000  # numbers, so that a container engine can tell that it is not root
    assert int(group) >= 10_000
    assert_known_command([word for word in image.command if word != "--help"])


def test_what_is_copied_is_in_the_context_and_in_the_checkout(said: list[Stage]) -> None:
    taken, _ = read_build_context()
    copied = {
        source
        for stage in said
        for step in stage.steps
        if step.name == "COPY" and not step.words[0].startswith("--from=")
        for source in step.words[:-1]
    }
    assert copied == set(taken)
    assert all((ROOT / name).exists() for name in taken)


def test_it_runs_what_it_installed_as_somebody_unknown_who_can_write_nowhere(image: Image) -> None:
    shown = run(image, ["python", "-c", "import mutua, services; print(services, mutua)"])
    assert shown.count("/opt/mutua/lib/") == 2
    assert str(ROOT) not in shown
    assert run(image, ["sh", "-c", "id -u; echo $HOME"]) == "10001\n\n"
    for place in ("/tmp", "/var/tmp", "/opt/mutua", "/"):
        assert "Read-only file system" in run(image, ["touch", f"{place}/x"])
    assert "Record who gave knowledge" in run(image, image.command)
