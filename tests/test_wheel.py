"""The wheel works without this checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_demo_runs_from_the_wheel(site_packages: Path, tmp_path: Path) -> None:
    program = (
        "import mutua, services.cli.main as main\n"
        f"assert mutua.__file__.startswith({str(site_packages)!r}), mutua.__file__\n"
        f"assert main.__file__.startswith({str(site_packages)!r}), main.__file__\n"
        "main.main(['demo', '--dir', 'demo'])\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site_packages)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "29 of 36 organizations on the roster" in output


def test_wheel_has_the_dashboard(site_packages: Path) -> None:
    static = Path("services/query/dashboard/static")
    files = {path.relative_to(ROOT) for path in (ROOT / static).rglob("*") if path.is_file()}
    assert static / "index.html" in files
    assert {path for path in files if not (site_packages / path).is_file()} == set()
