"""The broker of `mutua dev`: versions of its data directory."""

import re
from pathlib import Path

import pytest

from services.dev.broker import prepare_broker
from services.dev.programs import ProgramStartError


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    folder = tmp_path / "jars"
    folder.mkdir()
    (folder / "kafka_2.13-4.4.0.jar").touch()
    return folder


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A formatted data directory."""
    folder = tmp_path / "broker"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "meta.properties").touch()
    return folder


@pytest.mark.parametrize("newer", ["4.4.1", "4.10.0", "5.0.0"])
def test_directory_formatted_by_a_newer_kafka_is_refused(
    newer: str, jars: Path, directory: Path
) -> None:
    (directory / "formatted-by").write_text(f"{newer}\n")
    with pytest.raises(
        ProgramStartError,
        match=rf"Kafka {re.escape(newer)} formatted .*broker, and this mutua starts Kafka 4\.4\.0, "
        r"which cannot read it; start the newer mutua, or name a new directory with --dir",
    ):
        prepare_broker(jars, directory, port=20_000, controller_port=20_001)


@pytest.mark.parametrize("older", ["4.4.0", "4.1.1", "3.10.2"])
def test_directory_formatted_by_this_or_an_older_kafka_is_started(
    older: str, jars: Path, directory: Path
) -> None:
    (directory / "formatted-by").write_text(f"{older}\n")
    assert prepare_broker(jars, directory, port=20_000, controller_port=20_001).name == "broker"


def test_directory_without_a_version_is_started(jars: Path, directory: Path) -> None:
    assert prepare_broker(jars, directory, port=20_000, controller_port=20_001).name == "broker"
