"""Rules for the code, executed: sizes, purity, generated code, names and words."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 600
MAX_TEST_FILE_LINES = 600
LONGER: dict[str, str] = {}
"""Files that may be longer, each with the reason."""


def list_sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [ROOT / name for name in listed if "_pb2" not in name and (ROOT / name).exists()]


def list_documents() -> list[Path]:
    """Markdown and contract, without the changelog, which keeps the words of its time."""
    patterns = ("*.md", "*.proto", ":!CHANGELOG.md")
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return [ROOT / each for each in listed]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", list_sources(), ids=name)
def test_file_is_short(path: Path) -> None:
    lines = path.read_text().count("\n")
    limit = MAX_TEST_FILE_LINES if name(path).startswith("tests/") else MAX_FILE_LINES
    assert lines <= limit or name(path) in LONGER, (
        f"{name(path)} has {lines} lines, at most {limit}: split it, or say why in LONGER"
    )


@pytest.mark.parametrize("path", list_sources(), ids=name)
def test_function_is_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MAX_FUNCTION_LINES, (
                f"{name(path)}: {node.name} has {lines} lines, at most {MAX_FUNCTION_LINES}"
            )


def list_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", sorted((ROOT / "services/ledger").glob("*.py")), ids=name)
def test_core_imports_the_standard_library_only(path: Path) -> None:
    for module in list_imports(path):
        first = module.split(".")[0]
        assert module.startswith("services.ledger") or first in sys.stdlib_module_names, (
            f"{name(path)} imports {module}: the core is pure; put this into an adapter"
        )


@pytest.mark.parametrize("path", list_sources(), ids=name)
def test_tests_do_not_sleep(path: Path) -> None:
    if name(path).startswith("tests/") and path != Path(__file__):
        assert "time.sleep(" not in path.read_text(), f"{name(path)}: wait for a condition instead"


def test_generated_code_equals_that_of_the_contract(tmp_path: Path) -> None:
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


def test_locks_have_hashes_and_no_addresses() -> None:
    for lock in ("requirements.lock", "tests/requirements.lock"):
        text = (ROOT / lock).read_text()
        assert "://" not in text, f"{lock}: make it with make lock, which leaves addresses out"
        pinned = [line for line in text.splitlines() if "==" in line]
        assert pinned
        assert all(line.endswith("\\") for line in pinned), f"{lock}: a package has no hash"


def test_top_folder_has_expected_entries_only() -> None:
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


PARTICIPLES = {
    *("asked", "chosen", "found", "given", "heard", "held", "kept", "known"),
    *("left", "met", "said", "seen", "shown", "told", "wanted"),
}
UNDERIVED_ERRORS = {
    "proto/mutua/errors.py": "MutuaError",
    "services/ledger/errors.py": "MutuaError",
    # PEP 249 names it, and SQLAlchemy looks it up.
    "services/adapters/postgres/driver.py": "Error",
    # Not a failed request: a name is looked up in a directory that the caller holds.
    "proto/mutua/organization_directory.py": "AmbiguousNameError",
    # Control flow: `bootstrap.serve` returns then.
    "services/app/stop_signal.py": "StopRequestedError",
}
"""Bases of their own: the client library and the core do not know each other."""


@cache
def list_classes() -> list[tuple[str, ast.ClassDef]]:
    """The classes outside tests, each with its file."""
    return [
        (name(path), node)
        for path in list_sources()
        if not name(path).startswith("tests/")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]


class TestNames:
    def test_exceptions_end_in_error(self) -> None:
        known = {node.name: node for _, node in list_classes()}

        def is_exception(node: ast.ClassDef) -> bool:
            bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
            return any(
                base.endswith(("Error", "Exception"))
                or (base in known and base != node.name and is_exception(known[base]))
                for base in bases
            )

        wrong = [
            f"{file}: {node.name}"
            for file, node in list_classes()
            if is_exception(node) != node.name.endswith("Error")
        ]
        assert wrong == []

    def test_exceptions_derive_from_mutua_error(self) -> None:
        bases = {*UNDERIVED_ERRORS.values(), "ClientError"}  # mutua.MutuaError in the services
        errors = [(file, node) for file, node in list_classes() if node.name.endswith("Error")]
        count = 0
        while count < len(bases):
            count = len(bases)
            bases |= {
                node.name
                for _, node in errors
                if bases & {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            }
        assert [f"{file}: {node.name}" for file, node in errors if node.name not in bases] == []

    def test_public_classes_are_unique(self) -> None:
        files: dict[str, list[str]] = {}
        for file, node in list_classes():
            if not node.name.startswith("_") and UNDERIVED_ERRORS.get(file) != node.name:
                files.setdefault(node.name, []).append(file)
        assert {each: where for each, where in files.items() if len(where) > 1} == {}

    def test_no_module_or_class_is_a_bare_participle(self) -> None:
        stems = [(name(path), path.stem.strip("_")) for path in list_sources()]
        names = stems + [(file, node.name.strip("_").lower()) for file, node in list_classes()]
        assert [each for each in names if each[1] in PARTICIPLES] == []

    def test_a_module_and_a_folder_do_not_share_a_name(self) -> None:
        assert [name(path) for path in list_sources() if path.with_suffix("").is_dir()] == []


FIRST_COMMIT_WITH_RULES = "181cbdb"
MAX_TITLE = 72
TITLE = re.compile(r"^[a-z][\w ,./*{}-]*: [a-z`\d]")


def test_commit_titles_have_a_scope_and_fit_on_a_line() -> None:
    """Titles like `postgres: detect commits on a connection the server closed`."""
    log = ["git", "log", "--no-merges", "--format=%s", f"{FIRST_COMMIT_WITH_RULES}..HEAD"]
    listed = subprocess.run(log, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("this clone does not have the commits: git fetch --unshallow")
    wrong = [
        title
        for title in listed.stdout.splitlines()
        if len(title) > MAX_TITLE or not TITLE.match(title)
    ]
    assert wrong == []


WORDS_TO_AVOID = re.compile(
    r"\b(whoever|those that|amiss|gone on with|(?:is|are|was|were) told|beside)\b", re.I
)
"""Words that hide who does what; the style of the house has plainer ones."""


def read_prose(path: Path) -> str:
    """The comments and strings of a module, or a whole document."""
    text = path.read_text()
    if path.suffix != ".py":
        return text
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return "\n".join(
        token.string for token in tokens if token.type in (tokenize.COMMENT, tokenize.STRING)
    )


@pytest.mark.parametrize("path", [*list_sources(), *list_documents()], ids=name)
def test_prose_uses_no_word_to_avoid(path: Path) -> None:
    if path != Path(__file__) and WORDS_TO_AVOID.search(path.read_text()):
        assert WORDS_TO_AVOID.findall(read_prose(path)) == []
