"""A Kafka broker that a test may freeze, kill and start again."""

import os
import signal
import subprocess
from pathlib import Path
from threading import Event
from typing import Final

from services.dev.broker import prepare_broker
from services.dev.programs import ChildProcess
from tests.ports import allocate_port
from tests.waiting import PATIENCE_SECONDS

USER, PASSWORD = "mutua", "right"
_KEYSTORE_PASSWORD: Final = "of the test"
# A broker that was killed registers again once its session is over. It answers wrong credentials at
# once, because clients often notice the end of a delayed connection before the answer.
_SETTINGS: Final = """
listeners=PLAINTEXT://{address},SAFE://{safe},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://{address},SAFE://{safe}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SAFE:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.safe.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
ssl.keystore.location={folder}/keys.p12
ssl.keystore.password={keystore_password}
ssl.keystore.type=PKCS12
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
connection.failed.authentication.delay.ms=0
"""


class Broker:
    """A broker that keeps its data and its addresses over every restart."""

    def __init__(self, jars: Path, folder: Path) -> None:
        controller_port = allocate_port()
        self._program = prepare_broker(
            jars, folder, port=allocate_port(), controller_port=controller_port
        )
        self.address = self._program.address
        self.safe_address = f"127.0.0.1:{allocate_port()}"
        """The listener that requires TLS and a password."""
        self.certificate = folder / "certificate.pem"
        self.data = folder / "data"
        self._log = folder / "log"
        self._make_keys(folder / "keys.p12")
        settings = _SETTINGS.format(
            address=self.address,
            safe=self.safe_address,
            controller_port=controller_port,
            folder=folder,
            user=USER,
            password=PASSWORD,
            keystore_password=_KEYSTORE_PASSWORD,
        )
        with (folder / "server.properties").open("a") as file:
            file.write(settings)
        self.start()

    def start(self) -> None:
        """Returns when the broker answers clients."""
        self._process = ChildProcess(self._program, self._log)
        self._process.wait_until_ready(seconds=PATIENCE_SECONDS)

    def freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        self._process.stop()

    def _make_keys(self, path: Path) -> None:
        store = ["-keystore", str(path), "-storepass", _KEYSTORE_PASSWORD, "-alias", "broker"]
        subject = ["-dname", "CN=broker", "-ext", "san=ip:127.0.0.1"]
        subprocess.run(
            ["keytool", "-genkeypair", "-keyalg", "EC", "-storetype", "PKCS12", *subject, *store],
            check=True,
            capture_output=True,
        )
        subprocess.run(
            ["keytool", "-exportcert", "-rfc", "-file", str(self.certificate), *store],
            check=True,
            capture_output=True,
        )


def pause(seconds: float) -> None:
    """Lets a fault last: nothing observable shows that it lasted long enough."""
    Event().wait(seconds)
