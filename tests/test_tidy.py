"""Rules that matter, executed: sizes, purity, and a contract that is what it was generated from."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 600
MAX_TEST_FILE_LINES = 600
LONGER: dict[str, str] = {}
"""Files that may be longer, each with the reason."""


def sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [ROOT / name for name in listed if "_pb2" not in name and (ROOT / name).exists()]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", sources(), ids=name)
def test_a_file_can_be_held_in_the_head(path: Path) -> None:
    lines = path.read_text().count("\n")
    limit = MAX_TEST_FILE_LINES if name(path).startswith("tests/") else MAX_FILE_LINES
    assert lines <= limit or name(path) in LONGER, (
        f"{name(path)} has {lines} lines, at most {limit}: split it, or say why in LONGER"
    )


@pytest.mark.parametrize("path", sources(), ids=name)
def test_a_function_does_one_thing(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, (
                f"{name(path)}: {node.name} has {lines} lines, at most {MAX_FUNCTION_LINES}"
            )


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", sorted((ROOT / "services/ledger").glob("*.py")), ids=name)
def test_the_core_imports_the_standard_library_only(path: Path) -> None:
    for module in imported(path):
        first = module.split(".")[0]
        assert module.startswith("services.ledger") or first in sys.stdlib_module_names, (
            f"{name(path)} imports {module}: the core is pure; put this into an adapter"
        )


@pytest.mark.parametrize("path", sources(), ids=name)
def test_nothing_sleeps_in_a_test(path: Path) -> None:
    if name(path).startswith("tests/") and path != Path(__file__):
        assert "time.sleep(" not in path.read_text(), f"{name(path)}: wait for a condition instead"


def test_generated_code_is_what_the_contract_generates(tmp_path: Path) -> None:
    protos = sorted(str(path.relative_to(ROOT / "proto")) for path in ROOT.glob("proto/**/*.proto"))
    services = [path for path in protos if path.endswith("_service.proto")]
    for kind, files in (("", protos), ("_grpc", services)):
        plugin = Path(sys.executable).parent / f"protoc-gen-mypy{kind}"
        plain = "--grpc_python_out" if kind else "--python_out"
        command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--plugin={plugin}"]
        outputs = [f"{plain}={tmp_path}", f"--mypy{kind}_out=quiet:{tmp_path}"]
        subprocess.run([*command, *outputs, *files], cwd=ROOT / "proto", check=True)
    fresh = {path.name: path.read_text() for path in tmp_path.glob("mutua/v1/*_pb2*")}
    ours = {path.name: path.read_text() for path in ROOT.glob("proto/mutua/v1/*_pb2*")}
    assert fresh == ours, "run make proto and commit what it generates"


def test_the_locks_name_no_address_and_every_hash() -> None:
    for lock in ("requirements.lock", "tests/requirements.lock"):
        text = (ROOT / lock).read_text()
        assert "://" not in text, f"{lock}: make it with make lock, which leaves addresses out"
        pinned = [line for line in text.splitlines() if "==" in line]
        assert pinned
        assert all(line.endswith("\\") for line in pinned), f"{lock}: a package has no hash"


def test_only_what_the_owner_named_stands_at_the_top() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    top = {line.split("/")[0] for line in listed if line and not line.startswith(".")}
    allowed = {
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "deploy",
        "findings",
        "proto",
        "pyproject.toml",
        "requirements.lock",
        "services",
        "tests",
    }
    assert top <= allowed, f"{sorted(top - allowed)} belong into a folder"
