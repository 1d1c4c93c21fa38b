"""A local Kafka broker: its jars from Maven Central, its settings from deploy/broker."""

import base64
import os
import re
import subprocess
from pathlib import Path
from typing import Final
from uuid import uuid4

from services.dev.maven import fetch_from_maven
from services.dev.programs import Program, ProgramNotFoundError, ProgramStartError, run_program

CHECKOUT: Final = Path(__file__).parents[2]
_BROKER_FOLDER: Final = CHECKOUT / "deploy" / "broker"
_JARS_FOLDER: Final = CHECKOUT / ".broker"
_MIN_JAVA: Final = 17
_FORMATTED_BY: Final = "formatted-by"
"""File in a broker's directory with the version of Kafka that formatted its data. An older Kafka
cannot read them: it ends with a `MetadataParseException`."""


def fetch_jars() -> Path:
    """Returns the folder of the broker's jars, and fetches them once per version of pom.xml.

    Raises ProgramNotFoundError if Java is missing, or Maven if it is needed; ProgramStartError if
    Maven fails.
    """
    _require_java()
    pom = _BROKER_FOLDER / "pom.xml"
    if not pom.exists():
        raise ProgramNotFoundError(
            f"{pom} is missing: the broker of mutua dev needs a checkout of mutua"
        )
    return fetch_from_maven(pom, _JARS_FOLDER, what="the Kafka broker")


def prepare_broker(jars: Path, directory: Path, *, port: int, controller_port: int) -> Program:
    """The program of a broker with its data in `directory`, which is created if necessary.

    Raises ProgramStartError if a newer Kafka formatted the data, or if formatting fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    version = _version(jars)
    _require_readable(directory, version)
    address, data = f"127.0.0.1:{port}", directory / "data"
    properties = {
        "listeners": f"PLAINTEXT://{address},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{address}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "log.dirs": str(data),
    }
    settings = directory / "server.properties"
    settings.write_text(
        (_BROKER_FOLDER / "server.properties").read_text()
        + "".join(f"{name}={value}\n" for name, value in properties.items())
    )
    java = (
        find_java(),
        "-Xmx512m",
        f"-Dlog4j2.configurationFile={_BROKER_FOLDER / 'log4j2.properties'}",
        "-Dlog4j2.shutdownHookEnabled=false",  # keep the messages of the shutdown
        "-cp",
        f"{jars}/*",
    )
    if not (data / "meta.properties").exists():
        run_program(
            "the Kafka broker cannot format its directory", [*java, *make_format_command(settings)]
        )
        (directory / _FORMATTED_BY).write_text(f"{version}\n")
    return Program(
        name="broker",
        command=(*java, "kafka.Kafka", str(settings)),
        ready_text="Kafka Server started",  # printed once it answers clients
        address=address,
    )


def make_format_command(settings: Path) -> tuple[str, ...]:
    """The arguments of Java that format the directory of a broker with these settings."""
    # With "=", because the id may begin with a hyphen.
    cluster_id = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
    tool = "kafka.tools.StorageTool"
    return tool, "format", f"--cluster-id={cluster_id}", f"--config={settings}"


def _version(jars: Path) -> str:
    """The version of Kafka, such as 4.4.0, from the name of its jar."""
    [jar] = jars.glob("kafka_*.jar")
    return jar.stem.rpartition("-")[2]


def _require_readable(directory: Path, version: str) -> None:
    """Raises ProgramStartError if a Kafka newer than `version` formatted the directory."""
    version_file = directory / _FORMATTED_BY
    formatted_by = version_file.read_text().strip() if version_file.exists() else version
    if _parse_version(formatted_by) > _parse_version(version):
        raise ProgramStartError(
            f"Kafka {formatted_by} formatted {directory}, and this mutua starts Kafka {version}, "
            "which cannot read it",
            remedy="start the newer mutua, or name a new directory with --dir",
        )


def _parse_version(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def find_java() -> str:
    """The `java` of JAVA_HOME, else the one on the path."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else "java"


def _require_java() -> None:
    needed = f"the Kafka broker needs Java {_MIN_JAVA} or later"
    remedy = "on Debian and Ubuntu: apt install default-jre-headless"
    try:
        java = subprocess.run([find_java(), "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise ProgramNotFoundError(f"Java is missing: {needed}", remedy=remedy) from None
    version = re.search(r'version "(\d+)', java.stderr)
    if version is None or int(version[1]) < _MIN_JAVA:
        raise ProgramNotFoundError(
            f"this is {java.stderr.splitlines()[0]}: {needed}", remedy=remedy
        )
