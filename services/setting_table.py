"""The table of settings: name, default and help feed environment, options and documentation.

It imports the standard library only, because commands that read no environment stay quick.
"""

from dataclasses import dataclass
from typing import Final

Default = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of the processes.

    `default` is None when the setting has no value unless it is set; `default_note` then says what
    applies. `option` is the command-line option that overrides the environment, if there is one.
    """

    name: str
    help: str
    default: Default = None
    default_note: str = "none"
    option: str = ""

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"MUTUA_{self.name.upper()}"

    @property
    def plain_help(self) -> str:
        """The help without Markdown, for `--help`."""
        return self.help.replace("`", "")

    @property
    def documentation(self) -> str:
        """The row of the table in `deploy/README.md`."""
        is_set = self.default not in (None, "")
        default = f"`{str(self.default).lower()}`" if is_set else self.default_note
        option = f" Option: `{self.option}`." if self.option else ""
        return f"| `{self.variable}` | {default} | {self.help}{option} |"


_ROWS: Final = (
    Setting("log_url", "Log that facts are recorded on: `kafka://HOST:PORT,HOST:PORT/TOPIC`."),
    Setting(
        "store_url",
        "Database of the read models: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`. Optional "
        "for ingest, which with it holds streams back while answers are far behind.",
        "",
    ),
    Setting(
        "listen",
        "Address that gRPC calls are accepted on; port 0 picks a free one.",
        "127.0.0.1:7420",
        option="mutua up --listen",
    ),
    Setting("health_listen", "Address of a projector's gRPC health service; without one none.", ""),
    Setting(
        "reuse_port",
        "Whether several processes share the address; the kernel spreads connections over them.",
        False,
    ),
    Setting(
        "metrics_listen",
        "Address that Prometheus scrapes; without one nothing is measured. Each process on a "
        "machine needs its own.",
        "",
        option="mutua up --metrics-listen",
    ),
    Setting(
        "log_format",
        "Format of log lines on stderr: `text`, or one `json` object a line.",
        "text",
        option="mutua up --log-format",
    ),
    Setting(
        "log_level",
        "Lowest level that is logged; `info` logs every call.",
        "warning",
        option="mutua up --log-level",
    ),
    Setting(
        "partitions",
        "Number of partitions that the topic must have.",
        default_note="as many as the topic has",
    ),
    Setting(
        "queue_bytes",
        "Maximum bytes that wait for Kafka in one process; a fact counts 1,000 bytes more than "
        "its size.",
        64 << 20,
    ),
    Setting(
        "facts_per_second",
        "Maximum facts per second that one programme records through one process. Beyond it "
        "callers get OVERLOADED; clients and imports slow down and continue.",
        10_000,
    ),
    Setting(
        "instance",
        "Name of a projector, unique and the same after a restart. Kafka reserves the partitions "
        "of a named projector until the session timeout; an unnamed one loses them.",
        "",
    ),
    Setting(
        "session_timeout_seconds",
        "Silence after which other projectors take a projector's partitions over; at least the "
        "broker's `group.min.session.timeout.ms` (6 s by default), at most 60.",
        10.0,
    ),
    Setting(
        "slab_records",
        "Maximum records per projection transaction. Usually `MUTUA_SLAB_BYTES` is reached first.",
        10_000,
    ),
    Setting("slab_bytes", "Maximum bytes of a partition per fetch.", 1_000_000),
    Setting(
        "fetch_min_bytes",
        "Bytes that the broker collects before it answers a fetch, within "
        "`MUTUA_FETCH_WAIT_SECONDS`.",
        65_536,
    ),
    Setting(
        "fetch_wait_seconds",
        "Maximum time that the broker collects; it delays the visibility of new facts.",
        0.025,
    ),
    Setting(
        "stuck_seconds",
        "Time without progress after which a projector with work to do ends itself.",
        30.0,
    ),
)
SETTINGS: Final = {setting.name: setting for setting in _ROWS}
