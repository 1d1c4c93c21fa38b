"""Measures other stream processors on a smaller job, if MUTUA_PEERS names their programs.

Each runs in a separate environment, which is made once in .peers/.
"""

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

QUIX_REQUIREMENTS = ("quixstreams==3.28.0", "confluent-kafka", "grpcio-tools")
_HERE = Path(".peers")


def measure_peer_rates(broker: str, count: int) -> Iterator[tuple[str, float]]:
    """Yields the name and events a second of each peer; nothing without MUTUA_PEERS."""
    folder = os.environ.get("MUTUA_PEERS", "")
    if not folder:
        print("MUTUA_PEERS names no folder with peers; they are left out", file=sys.stderr)
        return
    source, topic = Path(folder).resolve(), f"peers-{uuid4().hex}"
    python = _prepare_python(source)
    _run(python, source / "load.py", str(count), topic, broker)
    for guarantee in ("at-least-once", "exactly-once"):
        output = _run(python, source / "quix.py", str(count), topic, guarantee, broker)
        yield f"Quix Streams, balances in RocksDB, {guarantee}", _parse_rate(output)
    if shutil.which("protoc"):
        jar = _build_kafka_streams(source)
        output = _run("java", "-cp", jar, "Balances", topic, "exactly_once_v2", str(count), broker)
        yield "Kafka Streams, balances in RocksDB, exactly once", _parse_rate(output)
    else:
        print("Kafka Streams is left out: it needs protoc", file=sys.stderr)


def _prepare_python(source: Path) -> str:
    """Returns the interpreter of an environment with Quix Streams and the records' code."""
    python = _HERE / "quix" / "bin" / "python"
    if not python.exists():
        venv.create(_HERE / "quix", with_pip=True)
        _run(str(python), "-m", "pip", "install", "-q", *QUIX_REQUIREMENTS)
    _run(
        str(python),
        *("-m", "grpc_tools.protoc", f"-I{source}", f"--python_out={_HERE}", "exchange.proto"),
    )
    return str(python)


def _build_kafka_streams(source: Path) -> str:
    """Builds the Kafka Streams program and returns its class path."""
    target = _HERE / "kafka-streams"
    if not target.exists():
        shutil.copytree(source / "kafka-streams", target)
        # The program calls the class Ex, which protoc names after the file.
        shutil.copyfile(source / "exchange.proto", target / "ex.proto")
        code = target / "src" / "main" / "java"
        _run("protoc", f"-I{target}", f"--java_out={code}", "ex.proto")
        _run(
            *("mvn", "-q", "-f", str(target / "pom.xml"), "compile"),
            *("dependency:copy-dependencies", "-DoutputDirectory=libs"),
        )
    return f"{target}/target/classes:{target}/libs/*"


def _run(*command: str | Path) -> str:
    return subprocess.run(
        [str(word) for word in command],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_HERE)},
    ).stdout


def _parse_rate(output: str) -> float:
    [rate] = re.findall(r"(\d+) events/s", output)
    return float(rate)
