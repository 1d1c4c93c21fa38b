"""The steps of deploy/Dockerfile, and the image as a user that cannot write."""

import subprocess
import tomllib
from collections.abc import Sequence

import pytest

from tests.deploy.container_rules import assert_known_command, assert_pinned
from tests.deploy.dockerfile import DOCKERFILE, ROOT, Stage, parse_stages, read_build_context
from tests.deploy.image import Image


@pytest.fixture(scope="module")
def dockerfile_stages() -> list[Stage]:
    return parse_stages(DOCKERFILE.read_text())


def run(image: Image, command: Sequence[str]) -> str:
    result = subprocess.run(
        image.wrap_command(command, {}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return result.stdout


def test_stages_use_one_pinned_python(dockerfile_stages: list[Stage]) -> None:
    [base] = {stage.base for stage in dockerfile_stages}
    assert_pinned(base)
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert base.startswith(f"python:{lowest.removeprefix('>=')}-slim-")


def test_installs_use_the_lock(dockerfile_stages: list[Stage]) -> None:
    installs = [
        step.words
        for stage in dockerfile_stages
        for step in stage.steps
        if step.name == "RUN" and "install" in step.words
    ]
    locked, ours = installs
    assert {"--require-hashes", "--only-binary", "requirements.lock"} <= set(locked)
    assert {"--no-deps", "--no-build-isolation", "."} <= set(ours)


def test_user_is_not_root_and_command_exists(dockerfile_stages: list[Stage], image: Image) -> None:
    user, _, group = dockerfile_stages[-1].find_last("USER").partition(":")
    assert int(user) >= 10_000  # numbers, so that a container engine can tell that it is not root
    assert int(group) >= 10_000
    assert_known_command([word for word in image.command if word != "--help"])


def test_copied_files_are_in_context_and_checkout(dockerfile_stages: list[Stage]) -> None:
    context_files, _ = read_build_context()
    copied_files = {
        source
        for stage in dockerfile_stages
        for step in stage.steps
        if step.name == "COPY" and not step.words[0].startswith("--from=")
        for source in step.words[:-1]
    }
    assert copied_files == set(context_files)
    assert all((ROOT / name).exists() for name in context_files)


def test_image_runs_installed_code_read_only_as_its_user(image: Image) -> None:
    output = run(image, ["python", "-c", "import mutua, services; print(services, mutua)"])
    assert output.count("/opt/mutua/lib/") == 2
    assert str(ROOT) not in output
    assert run(image, ["sh", "-c", "id -u; echo $HOME"]) == "10001\n\n"
    for place in ("/tmp", "/var/tmp", "/opt/mutua", "/"):
        assert "Read-only file system" in run(image, ["touch", f"{place}/x"])
    assert "Record and analyse who shares knowledge" in run(image, image.command)
