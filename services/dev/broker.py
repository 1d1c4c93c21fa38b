"""A Kafka broker of our own: its jars from Maven Central, its settings from deploy/broker."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final
from uuid import uuid4

from services.dev.programs import Program, ProgramNotFoundError, ProgramStartError

CHECKOUT: Final = Path(__file__).parents[2]
_RECIPE: Final = CHECKOUT / "deploy" / "broker"
_FETCHED: Final = CHECKOUT / ".broker"
_MIN_JAVA: Final = 17
_FORMATTED_BY: Final = "formatted-by"
"""File in a broker's directory with the version of Kafka that formatted its data. An older Kafka
cannot read them: it ends with a `MetadataParseException`."""
_COPY: Final = "dependency:copy-dependencies"


def fetch_jars() -> Path:
    """The folder of the broker's jars, fetched once for each pom.xml.

    Raises Missing when Java or, to fetch, Maven is not there; ProgramStartError when Maven fails.
    """
    _require_java()
    pom = _RECIPE / "pom.xml"
    if not pom.exists():
        raise ProgramNotFoundError(
            f"{pom} is missing: the broker of mutua dev needs a checkout of mutua"
        )
    jars = _FETCHED / hashlib.sha256(pom.read_bytes()).hexdigest()[:16]
    if jars.exists():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise ProgramNotFoundError(
            "Maven, which fetches the Kafka broker, is missing (mvn); on Debian and Ubuntu: "
            "apt install maven"
        )
    coming = _FETCHED / f"{jars.name}.{os.getpid()}"
    _run(
        "Maven cannot fetch the Kafka broker",
        [maven, "-q", "-B", "-f", str(pom), _COPY, f"-DoutputDirectory={coming}"],
    )
    try:
        coming.rename(jars)
    except OSError:  # somebody else has fetched them meanwhile
        shutil.rmtree(coming)
    return jars


def prepare_broker(jars: Path, directory: Path, *, port: int, controller_port: int) -> Program:
    """The broker whose data are in a directory, which is made when it is not there.

    Raises ProgramStartError when a newer Kafka formatted the data, or formatting fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    version = _version(jars)
    _require_readable(directory, version)
    address, data = f"127.0.0.1:{port}", directory / "data"
    places = {
        "listeners": f"PLAINTEXT://{address},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{address}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "log.dirs": str(data),
    }
    settings = directory / "server.properties"
    settings.write_text(
        (_RECIPE / "server.properties").read_text()
        + "".join(f"{name}={value}\n" for name, value in places.items())
    )
    java = (
        _java(),
        "-Xmx512m",
        f"-Dlog4j2.configurationFile={_RECIPE / 'log4j2.properties'}",
        "-Dlog4j2.shutdownHookEnabled=false",  # what it says while it ends is kept too
        "-cp",
        f"{jars}/*",
    )
    if not (data / "meta.properties").exists():
        _run("the Kafka broker cannot make its directory", [*java, *make_format_command(settings)])
        (directory / _FORMATTED_BY).write_text(f"{version}\n")
    return Program(
        name="broker",
        command=(*java, "kafka.Kafka", str(settings)),
        ready_text="Kafka Server started",  # it is printed when clients are answered
        address=address,
    )


def make_format_command(settings: Path) -> tuple[str, ...]:
    """The program, and its words, that makes the directory of a broker with these settings."""
    # Written with its =, as one may begin with a hyphen.
    identity = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
    tool = "kafka.tools.StorageTool"
    return tool, "format", f"--cluster-id={identity}", f"--config={settings}"


def _version(jars: Path) -> str:
    """The version of Kafka, such as 4.4.0, by the name of its jar."""
    [jar] = jars.glob("kafka_*.jar")
    return jar.stem.rpartition("-")[2]


def _require_readable(directory: Path, version: str) -> None:
    """Raises ProgramStartError when a newer Kafka than `version` formatted the directory."""
    mark = directory / _FORMATTED_BY
    formatted_by = mark.read_text().strip() if mark.exists() else version
    if _numbers(formatted_by) > _numbers(version):
        raise ProgramStartError(
            f"Kafka {formatted_by} formatted {directory}, and this mutua starts Kafka {version}, "
            "which cannot read it; start the newer mutua, or name a new directory with --dir"
        )


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else "java"


def _require_java() -> None:
    needed = (
        f"the Kafka broker needs Java {_MIN_JAVA} or later; on Debian and Ubuntu: "
        "apt install default-jre-headless"
    )
    try:
        told = subprocess.run([_java(), "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise ProgramNotFoundError(f"Java is missing: {needed}") from None
    version = re.search(r'version "(\d+)', told.stderr)
    if version is None or int(version[1]) < _MIN_JAVA:
        raise ProgramNotFoundError(f"this is {told.stderr.splitlines()[0]}: {needed}")


def _run(what: str, command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        last = done.stdout.strip().splitlines()[-5:]
        raise ProgramStartError("\n  ".join([f"{what}:", *last]))
