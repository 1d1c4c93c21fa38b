"""Every setting of the processes of a cluster, read from the environment under MUTUA_."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.adapters.telemetry.logs import LogFormat, LogLevel
from services.ledger.errors import InvalidArgumentError

_KAFKA: Final = "kafka_"
_SASL: Final = ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password")
_MAX_PORT: Final = 65_535
_HOST: Final = r"(?:[^][:/?,@\s]+|\[[^]/\s]+\])(?::\d{1,5})?"
_POSTGRES: Final = re.compile(
    rf"postgres(?:ql)?://(?:[^@/\s]*@)?(?:{_HOST}(?:,{_HOST})*)?(?:/[^?\s]*)?(?:\?\S*)?"
)
_NAME: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")


def _check_address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _MAX_PORT:
        raise ValueError(f"write HOST:PORT with a port of 0 (any) to {_MAX_PORT}")
    return text


def _check_postgres_url(url: str) -> str:
    if not _POSTGRES.fullmatch(url):
        raise ValueError("write postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return url


def _check_file(name: str) -> str:
    if not Path(name).is_file():
        raise ValueError("there is no such file")
    return name


def _check_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("use up to 249 of A-Z, a-z, 0-9, point, hyphen and underscore")
    return text


ListenAddress = Annotated[str, AfterValidator(_check_address)]
PostgresUrl = Annotated[str, AfterValidator(_check_postgres_url)]
ExistingFile = Annotated[str, AfterValidator(_check_file)]
InstanceName = Annotated[str, AfterValidator(_check_name)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The settings of one process of a cluster, frozen when it starts."""

    model_config = SettingsConfigDict(
        env_prefix="MUTUA_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
        validate_default=False,
    )

    log_url: str
    """Log that facts are recorded on: `kafka://HOST:PORT,HOST:PORT/TOPIC`."""
    store_url: PostgresUrl = ""
    """Database of the read models: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`. Optional for
    ingest, which with it holds streams back while projectors are far behind."""

    listen: ListenAddress = "127.0.0.1:7420"
    """Address that gRPC calls are accepted on; port 0 picks a free one."""
    health_listen: ListenAddress = ""
    """Address of a projector's gRPC health service; without one it has none."""
    reuse_port: bool = False
    """Whether several processes share `listen`; the kernel spreads connections over them."""

    metrics_listen: str = ""
    """Address that Prometheus scrapes; without one nothing is measured."""
    log_format: LogFormat = "text"
    """Format of log lines on stderr: `text`, or one `json` object a line."""
    log_level: LogLevel = "warning"
    """Lowest level that is logged; `info` logs every call."""

    partitions: int | None = Field(default=None, ge=1)
    """Number of partitions that the topic must have; without one any number is accepted."""
    queue_bytes: int = Field(default=64 << 20, ge=16 << 20)
    """Maximum bytes that wait for Kafka in one process; each fact counts 1,000 bytes more than its
    size."""
    facts_per_second: int = Field(default=10_000, ge=1)
    """Maximum facts per second that one programme records through one process."""

    instance: InstanceName = ""
    """Name of this projector, unique and the same after a restart. Kafka reserves the partitions of
    a named projector until the session timeout; an unnamed one loses them when it restarts."""
    session_timeout_seconds: PositiveSeconds = Field(default=10.0, le=60)
    """Silence after which other projectors take a projector's partitions over; at least the
    broker's group.min.session.timeout.ms, which is 6 s by default."""
    slab_records: int = Field(default=10_000, ge=1, le=100_000)
    """Maximum records per projection transaction. Usually `slab_bytes` is reached first."""
    slab_bytes: int = Field(default=1_000_000, ge=1_000, le=64 << 20)
    """Maximum bytes of a partition per fetch."""
    fetch_min_bytes: int = Field(default=65_536, ge=1, le=64 << 20)
    """Bytes that the broker collects before it answers a fetch, within `fetch_wait_seconds`."""
    fetch_wait_seconds: PositiveSeconds = Field(default=0.025, le=5)
    """Maximum time that the broker collects; it delays the visibility of new facts."""
    stuck_seconds: PositiveSeconds = 30.0
    """Time without progress after which a projector with work to do ends itself."""

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] | None = None
    kafka_ssl_cafile: ExistingFile | None = None
    kafka_ssl_certfile: ExistingFile | None = None
    kafka_ssl_keyfile: ExistingFile | None = None
    kafka_ssl_password: SecretStr | None = None
    kafka_ssl_check_hostname: bool | None = None
    kafka_ssl_crlfile: ExistingFile | None = None
    kafka_ssl_ciphers: str | None = None
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"] | None = None
    kafka_sasl_plain_username: str | None = None
    kafka_sasl_plain_password: SecretStr | None = None
    kafka_sasl_kerberos_name: str | None = None
    kafka_sasl_kerberos_service_name: str | None = None
    kafka_sasl_kerberos_domain_name: str | None = None

    @model_validator(mode="after")
    def _require_all_of_sasl(self) -> Self:
        if (self.kafka_security_protocol or "").startswith("SASL"):
            for name in _SASL[:1] if self.kafka_sasl_mechanism == "GSSAPI" else _SASL:
                if getattr(self, _KAFKA + name) is None:
                    missing = f"MUTUA_{(_KAFKA + name).upper()}"
                    raise ValueError(
                        f"{missing} is not set; {self.kafka_security_protocol} needs it"
                    )
        return self

    def kafka_options(self) -> dict[str, Any]:
        """The TLS and SASL options that are set, under kafka-python's names."""
        options = self.model_dump(exclude_none=True)
        return {
            name.removeprefix(_KAFKA): value.get_secret_value()
            if isinstance(value, SecretStr)
            else value
            for name, value in options.items()
            if name.startswith(_KAFKA)
        }

    def require_store_url(self) -> str:
        """The store URL. Raises InvalidArgumentError when it is not set."""
        if not self.store_url:
            raise InvalidArgumentError(
                "MUTUA_STORE_URL is not set: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            )
        return self.store_url


def read_settings(**overrides: Any) -> Settings:
    """Reads the environment; `overrides` take precedence.

    Raises InvalidArgumentError, whose one line names every invalid setting.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise InvalidArgumentError("; ".join(map(_describe, error.errors()))) from None


def _describe(details: ErrorDetails) -> str:
    message = details["msg"].removeprefix("Value error, ")
    if not details["loc"]:
        return message
    name = f"MUTUA_{str(details['loc'][0]).upper()}"
    if details["type"] == "missing":
        return f"{name} is not set"
    # A URL may hold a password.
    value = "" if name.endswith("_URL") else f" is {details['input']!r}"
    return f"{name}{value}: {message[0].lower()}{message[1:]}"
