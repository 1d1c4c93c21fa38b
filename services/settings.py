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


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _MAX_PORT:
        raise ValueError(f"write HOST:PORT with a port of 0 (any) to {_MAX_PORT}")
    return text


def _postgres(url: str) -> str:
    if not _POSTGRES.fullmatch(url):
        raise ValueError("write postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return url


def _file(name: str) -> str:
    if not Path(name).is_file():
        raise ValueError("there is no such file")
    return name


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("use up to 249 of A-Z, a-z, 0-9, point, hyphen and underscore")
    return text


ListenAddress = Annotated[str, AfterValidator(_address)]
PostgresUrl = Annotated[str, AfterValidator(_postgres)]
ExistingFile = Annotated[str, AfterValidator(_file)]
InstanceName = Annotated[str, AfterValidator(_name)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """What one process is started with; nothing changes it afterwards."""

    model_config = SettingsConfigDict(
        env_prefix="MUTUA_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
        validate_default=False,
    )

    log_url: str
    """`kafka://host:port,host:port/topic`"""
    store_url: PostgresUrl = ""
    """`postgresql://...`, where the read models are; those who only record do without."""

    listen: ListenAddress = "127.0.0.1:7420"
    """Where calls are taken; port 0 takes a free one."""
    health_listen: ListenAddress = ""
    """Where a projector tells its health, through gRPC; without it nowhere."""
    reuse_port: bool = False
    """Whether several processes share the address; the kernel spreads connections over them."""

    metrics_listen: str = ""
    """Where Prometheus reads how the process does; without an address nothing is measured."""
    log_format: LogFormat = "text"
    """How the process says things on stderr: lines of `text`, or objects of `json`."""
    log_level: LogLevel = "warning"
    """The least that is said: `info` has a line for every call."""

    partitions: int | None = Field(default=None, ge=1)
    """How many partitions the topic must have; None takes it as it is."""
    queue_bytes: int = Field(default=64 << 20, ge=16 << 20)
    """What may wait for Kafka in one process, each record counted with 1,000 bytes beside it."""
    facts_per_second: int = Field(default=10_000, ge=1)
    """What one programme may record through one process."""

    instance: InstanceName = ""
    """The name of this projector among its likes, the same after a restart: its partitions then
    wait for it, for up to the session timeout. Without one they are moved."""
    session_timeout_seconds: PositiveSeconds = Field(default=10.0, le=60)
    """So long may a projector be silent before others take over; not below the broker's
    group.min.session.timeout.ms, which is 6 s unless it was set."""
    slab_records: int = Field(default=10_000, ge=1, le=100_000)
    """At most so many records of a partition in one transaction; of most there are fewer bytes."""
    slab_bytes: int = Field(default=1_000_000, ge=1_000, le=64 << 20)
    """At most so many bytes of a partition are fetched at once."""
    fetch_min_bytes: int = Field(default=65_536, ge=1, le=64 << 20)
    """The broker waits for so much before it answers a fetch ..."""
    fetch_wait_seconds: PositiveSeconds = Field(default=0.025, le=5)
    """... but no longer than this; new facts are seen so much later."""
    stuck_seconds: PositiveSeconds = 30.0
    """A projector that gets no further for so long ends itself."""

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
        """What was set of TLS and SASL, under kafka-python's names."""
        options = self.model_dump(exclude_none=True)
        return {
            name.removeprefix(_KAFKA): value.get_secret_value()
            if isinstance(value, SecretStr)
            else value
            for name, value in options.items()
            if name.startswith(_KAFKA)
        }

    def require_store_url(self) -> str:
        """For those who cannot do without. Raises InvalidArgumentError."""
        if not self.store_url:
            raise InvalidArgumentError(
                "MUTUA_STORE_URL is not set: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            )
        return self.store_url


def read_settings(**given: Any) -> Settings:
    """What is given, and else what the environment says.

    Raises InvalidArgumentError in one line.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        raise InvalidArgumentError("; ".join(map(_problem, error.errors()))) from None


def _problem(found: ErrorDetails) -> str:
    message = found["msg"].removeprefix("Value error, ")
    if not found["loc"]:
        return message
    name = f"MUTUA_{str(found['loc'][0]).upper()}"
    if found["type"] == "missing":
        return f"{name} is not set"
    # Addresses may hold a password.
    value = "" if name.endswith("_URL") else f" is {found['input']!r}"
    return f"{name}{value}: {message[0].lower()}{message[1:]}"
