"""The table of settings, which feeds the environment, command-line options and documentation.

It imports the standard library only, because commands that read no environment stay quick. Types
and bounds are in `settings`, and `make settings` writes the table into `deploy/README.md`.
"""

from dataclasses import dataclass
from typing import Final

COMMANDS: Final = "commands"
SERVERS: Final = "`mutua up`, ingest, query"
PROCESSES: Final = "`mutua up`, ingest, projector, query"
CLUSTER: Final = "ingest, projector, query"
INGEST: Final = "ingest"
PROJECTOR: Final = "projector"
QUERY: Final = "query"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of the commands and processes.

    `read_by` names what reads it. `form` is the unit of a number, the form of a text, or the words
    to choose from, separated by "|". `default` is None when the setting has no value unless it is
    set; `default_note` then describes what applies. `option` is the command-line option that
    overrides the environment, if there is one.
    """

    name: str
    read_by: str
    form: str
    help: str
    default: str | int | float | bool | None = None
    default_note: str = "none"
    option: str = ""

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"MUTUA_{self.name.upper()}"

    @property
    def choices(self) -> list[str]:
        """The words to choose from, or the form alone."""
        return self.form.split("|")

    @property
    def plain_help(self) -> str:
        """The help without Markdown, for `--help`."""
        return self.help.replace("`", "")

    @property
    def documentation(self) -> str:
        """The row of the table in `deploy/README.md`."""
        is_set = self.default not in (None, "")
        default = f"`{str(self.default).lower()}`" if is_set else self.default_note
        is_unit = self.form.islower() and len(self.choices) == 1
        form = self.form if is_unit else f"`{'`, `'.join(self.choices)}`"
        option = f" Option: `{self.option}`." if self.option else ""
        return f"| `{self.variable}` | {default} | {form} | {self.read_by} | {self.help}{option} |"


_ROWS: Final = (
    Setting(
        "data",
        COMMANDS,
        "DIRECTORY",
        "Data directory on this machine.",
        "mutua-data",
        option="--data",
    ),
    Setting(
        "server",
        COMMANDS,
        "HOST:PORT[,HOST:PORT]",
        "Server to talk to, or one to record and one to ask; without it the one on the data "
        "directory, if any runs there.",
        "",
        option="--server",
    ),
    Setting(
        "programme",
        COMMANDS,
        "TEXT",
        "Ledger to record in and to ask.",
        "default",
        option="--programme",
    ),
    Setting(
        "recorded_by",
        COMMANDS,
        "ORGANIZATION",
        "The organization you record for: id, name or alias.",
        "",
        option="--as",
    ),
    Setting(
        "log_url",
        CLUSTER,
        "kafka://HOST:PORT,.../TOPIC",
        "Log that facts are recorded on.",
        option="--log-url",
    ),
    Setting(
        "store_url",
        CLUSTER,
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        "Database of the read models. Optional for ingest, which with it holds streams back while "
        "answers are far behind.",
        "",
        option="--store-url",
    ),
    Setting(
        "listen",
        SERVERS,
        "HOST:PORT",
        "Address that gRPC calls are accepted on; port 0 picks a free one.",
        "127.0.0.1:7420",
        option="mutua up --listen",
    ),
    Setting(
        "http_listen",
        "`mutua up`, query",
        "HOST:PORT",
        "Address that HTTP is answered on, of this machine alone; port 0 picks a free one, an "
        "empty option turns HTTP off.",
        "",
        default_note="`127.0.0.1:7421` for `mutua up`, none for query",
        option="mutua up --http-listen",
    ),
    Setting(
        "http_origins",
        "`mutua up`, query",
        "ORIGIN,...",
        "Web sites, such as `https://mutua.example.org`, whose pages may use HTTP, and under whose "
        "names a proxy passes requests on.",
        "",
        option="mutua up --http-origins",
    ),
    Setting(
        "ingest_server",
        "query",
        "HOST:PORT",
        "Ingest process to which a query process passes facts that it receives by HTTP; without "
        "one it refuses them.",
        "",
    ),
    Setting(
        "health_listen",
        PROJECTOR,
        "HOST:PORT",
        "Address of a projector's gRPC health service; without one none.",
        "",
    ),
    Setting(
        "reuse_port",
        "ingest, query",
        "true|false",
        "Whether several processes share the address; the kernel spreads connections over them.",
        False,
    ),
    Setting(
        "metrics_listen",
        PROCESSES,
        "HOST:PORT",
        "Address that Prometheus scrapes; without one nothing is measured. Each process on a "
        "machine needs its own.",
        "",
        option="mutua up --metrics-listen",
    ),
    Setting(
        "log_format",
        PROCESSES,
        "text|json",
        "Format of log lines on stderr: `text`, or one `json` object a line.",
        "text",
        option="mutua up --log-format",
    ),
    Setting(
        "log_level",
        PROCESSES,
        "debug|info|warning|error",
        "Lowest level that is logged; `info` logs every call.",
        "warning",
        option="mutua up --log-level",
    ),
    Setting(
        "partitions",
        CLUSTER,
        "partitions",
        "Number of partitions that the topic must have.",
        default_note="as many as the topic has",
    ),
    Setting(
        "queue_bytes",
        INGEST,
        "bytes",
        "Maximum that waits for Kafka in one process; a fact counts 1,000 bytes more than its "
        "size.",
        64 << 20,
    ),
    Setting(
        "facts_per_second",
        INGEST,
        "facts per second",
        "Maximum that one programme records through one process. Beyond it callers get OVERLOADED; "
        "clients and imports slow down and continue.",
        10_000,
    ),
    Setting(
        "instance",
        PROJECTOR,
        "NAME",
        "Name of a projector, unique and the same after a restart. Kafka reserves the partitions "
        "of a named projector until the session timeout; an unnamed one loses them.",
        "",
    ),
    Setting(
        "session_timeout_seconds",
        PROJECTOR,
        "seconds",
        "Silence after which other projectors take a projector's partitions over; at least the "
        "broker's `group.min.session.timeout.ms` (6 s by default), at most 60.",
        10.0,
    ),
    Setting(
        "slab_records",
        PROJECTOR,
        "records",
        "Maximum per projection transaction. Usually `MUTUA_SLAB_BYTES` is reached first.",
        10_000,
    ),
    Setting("slab_bytes", PROJECTOR, "bytes", "Maximum of a partition per fetch.", 1_000_000),
    Setting(
        "fetch_min_bytes",
        PROJECTOR,
        "bytes",
        "Size that the broker collects before it answers a fetch, within "
        "`MUTUA_FETCH_WAIT_SECONDS`.",
        65_536,
    ),
    Setting(
        "fetch_wait_seconds",
        PROJECTOR,
        "seconds",
        "Maximum time that the broker collects; it delays the visibility of new facts.",
        0.025,
    ),
    Setting(
        "stuck_seconds",
        PROJECTOR,
        "seconds",
        "Time without progress after which a projector with work to do ends itself.",
        30.0,
    ),
    Setting(
        "watch_seconds",
        QUERY,
        "seconds",
        "Time after which a watch's stream ends; its client comes back and goes on.",
        3600.0,
    ),
    Setting(
        "kafka_security_protocol",
        CLUSTER,
        "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL",
        "How to connect to the broker. This and the rest have the names of kafka-python's options.",
        default_note="`PLAINTEXT`",
    ),
    Setting("kafka_ssl_cafile", CLUSTER, "FILE", "Certificates that the broker's must lead to."),
    Setting("kafka_ssl_certfile", CLUSTER, "FILE", "Certificate of the client."),
    Setting("kafka_ssl_keyfile", CLUSTER, "FILE", "Private key of the client's certificate."),
    Setting("kafka_ssl_password", CLUSTER, "TEXT", "Password of the private key."),
    Setting(
        "kafka_ssl_check_hostname",
        CLUSTER,
        "true|false",
        "Whether the broker's certificate must name its host.",
        default_note="`true`",
    ),
    Setting("kafka_ssl_crlfile", CLUSTER, "FILE", "List of revoked certificates."),
    Setting("kafka_ssl_ciphers", CLUSTER, "TEXT", "Allowed ciphers, in the form of OpenSSL."),
    Setting(
        "kafka_sasl_mechanism",
        CLUSTER,
        "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|GSSAPI",
        "How to authenticate; required by the protocols with SASL.",
    ),
    Setting("kafka_sasl_plain_username", CLUSTER, "TEXT", "User name, except for GSSAPI."),
    Setting("kafka_sasl_plain_password", CLUSTER, "TEXT", "Password, except for GSSAPI."),
    Setting("kafka_sasl_kerberos_name", CLUSTER, "TEXT", "Kerberos name of the broker."),
    Setting("kafka_sasl_kerberos_service_name", CLUSTER, "TEXT", "Service part of that name."),
    Setting("kafka_sasl_kerberos_domain_name", CLUSTER, "TEXT", "Host part of that name."),
)
SETTINGS: Final = {setting.name: setting for setting in _ROWS}
