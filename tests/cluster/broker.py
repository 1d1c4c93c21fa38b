"""A Kafka broker that a test may freeze, kill and start again."""

import signal
import socket
import subprocess
from pathlib import Path
from threading import Event

from services.dev.broker import make_format_command
from tests.ports import allocate_port
from tests.waiting import wait_until

USER, PASSWORD = "mutua", "right"
_KEYSTORE_PASSWORD = "of the test"
_SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SAFE://127.0.0.1:{safe},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SAFE://127.0.0.1:{safe}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SAFE:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.safe.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
ssl.keystore.location={folder}/keys.p12
ssl.keystore.password={keystore_password}
ssl.keystore.type=PKCS12
log.dirs={folder}/data
offsets.topic.replication.factor=1
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""

_API_VERSIONS_REQUEST = bytes.fromhex("0000000a 0012 0000 00000000 ffff")
"""An ApiVersions request, which a broker answers as soon as it answers anything."""


class Broker:
    """A broker that keeps its data and its addresses over every restart."""

    def __init__(self, jars: Path, folder: Path) -> None:
        ports = {"plain": allocate_port(), "safe": allocate_port(), "controller": allocate_port()}
        self.address = f"127.0.0.1:{ports['plain']}"
        self.safe_address = f"127.0.0.1:{ports['safe']}"
        """The listener that requires TLS and a password."""
        self.certificate = folder / "certificate.pem"
        self._java = ["java", "-Xmx400m", "-cp", f"{jars}/*"]
        self.data = folder / "data"
        self._settings = folder / "server.properties"
        self._log = folder / "log"
        self._settings.write_text(
            _SETTINGS.format(
                **ports,
                folder=folder,
                user=USER,
                password=PASSWORD,
                keystore_password=_KEYSTORE_PASSWORD,
            )
        )
        self._make_keys(folder / "keys.p12")
        self._run(*make_format_command(self._settings))
        self.start()

    def start(self) -> None:
        """Returns when the broker answers clients."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._settings)],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._log.parent,
            )
        wait_until(self._answers, "the broker answers")

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()[-2_000:]
        host, _, port = self.address.partition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=2) as connection:
                connection.sendall(_API_VERSIONS_REQUEST)
                return len(connection.recv(8)) > 0
        except OSError:
            return False

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

    def _run(self, *words: str) -> None:
        subprocess.run([*self._java, *words], check=True, capture_output=True)


def pause(seconds: float) -> None:
    """Lets a fault last: nothing observable shows that it lasted long enough."""
    Event().wait(seconds)
