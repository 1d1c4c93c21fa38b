"""mutua works with the lowest versions of its dependencies that pyproject.toml allows."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.environments import ROOT, install_lowest_versions, run_program


def read_requirement(name: str) -> Requirement:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [requirement] = [
        each for each in map(Requirement, project["dependencies"]) if each.name == name
    ]
    return requirement


class TestDeclaredFloor:
    """The versions in pyproject.toml are the lowest with which generated code and Faust work."""

    @pytest.mark.parametrize(
        ("dependency", "files", "pattern"),
        [
            ("grpcio", "*_pb2_grpc.py", r"GRPC_GENERATED_VERSION = '([\d.]+)'"),
            ("protobuf", "*_pb2.py", r"# Protobuf Python Version: ([\d.]+)"),
        ],
    )
    def test_is_the_version_that_generated_code_needs(
        self, dependency: str, files: str, pattern: str
    ) -> None:
        sources = [path.read_text() for path in (ROOT / "proto/mutua/v1").glob(files)]
        [version] = {version_text for text in sources for version_text in re.findall(pattern, text)}
        assert str(read_requirement(dependency).specifier) == f">={version}"

    def test_aiokafka_has_what_the_driver_of_faust_imports(self) -> None:
        """0.15.0rc1 no longer has `parse_kafka_version`, which faust-streaming 0.15.3 imports."""
        aiokafka = read_requirement("aiokafka").specifier
        assert not aiokafka.contains("0.15.0rc1", prereleases=True)
        assert not aiokafka.contains(Version("0.15.0"))


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    """The programs of an environment with this mutua and the lowest versions it declares."""
    with install_lowest_versions() as folder:
        yield folder


class TestLowestDeclaredVersions:
    def test_record_and_answer(self, programs: Path, tmp_path: Path) -> None:
        output = run_program(programs / "mutua", "demo", "--dir", tmp_path / "demo")
        assert "29 of 36 organizations on the roster" in output
        assert (
            run_program(programs / "mutua", "--data", tmp_path / "demo", "verify")
            == "ok: 639 facts\n"
        )

    def test_processes_of_a_cluster_start(self, programs: Path) -> None:
        """Faust imports its driver only when a worker starts."""
        run_program(
            programs / "python",
            "-c",
            "import faust.transport.drivers.aiokafka, services.app.ingest_service\n"
            "import services.app.projector_service, services.projector.faust_app, "
            "services.app.query_service",
        )
