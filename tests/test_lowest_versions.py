"""mutua works with the lowest versions of its dependencies that pyproject.toml allows."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.environments import ROOT, install_lowest_versions, run_program


def declared(name: str) -> Requirement:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [requirement] = [
        each for each in map(Requirement, project["dependencies"]) if each.name == name
    ]
    return requirement


class TestDeclaredFloor:
    """What pyproject.toml allows, compared with what the generated code and Faust need."""

    @pytest.mark.parametrize(
        ("dependency", "files", "needed"),
        [
            ("grpcio", "*_pb2_grpc.py", r"GRPC_GENERATED_VERSION = '([\d.]+)'"),
            ("protobuf", "*_pb2.py", r"# Protobuf Python Version: ([\d.]+)"),
        ],
    )
    def test_is_the_version_that_generated_code_needs(
        self, dependency: str, files: str, needed: str
    ) -> None:
        sources = [path.read_text() for path in (ROOT / "proto/mutua/v1").glob(files)]
        [version] = {found for text in sources for found in re.findall(needed, text)}
        assert str(declared(dependency).specifier) == f">={version}"

    def test_of_aiokafka_keeps_to_what_the_driver_of_faust_imports(self) -> None:
        """0.15.0rc1 no longer has `parse_kafka_version`, which faust-streaming 0.15.3 imports."""
        aiokafka = declared("aiokafka").specifier
        assert not aiokafka.contains("0.15.0rc1", prereleases=True)
        assert not aiokafka.contains(Version("0.15.0"))


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    """The programs of an environment with this mutua and the lowest versions it declares."""
    with install_lowest_versions() as folder:
        yield folder


class TestLowestDeclaredVersions:
    def test_record_and_answer(self, programs: Path, tmp_path: Path) -> None:
        shown = run_program(programs / "mutua", "demo", "--dir", tmp_path / "demo")
        assert "29 of 36 organizations on the roster" in shown
        assert (
            run_program(programs / "mutua", "--data", tmp_path / "demo", "verify")
            == "ok: 624 facts\n"
        )

    def test_have_all_that_the_processes_of_a_cluster_import(self, programs: Path) -> None:
        """The driver is imported by Faust only when a worker starts."""
        run_program(
            programs / "python",
            "-c",
            "import faust.transport.drivers.aiokafka, services.app.ingest_service\n"
            "import services.app.projector_service, services.projector.faust_app, "
            "services.app.query_service",
        )
