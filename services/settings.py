"""Every setting of the processes of a cluster, read from the environment under MUTUA_."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from mutua.host_port import parse_host_port
from services.adapters.http.loopback import check_loopback
from services.adapters.http.origins import parse_origins
from services.adapters.telemetry.logs import LogFormat, LogLevel
from services.ledger.errors import InvalidArgumentError
from services.setting_table import SETTINGS

_KAFKA: Final = "kafka_"
_SASL: Final = ("sasl_mechanism", "sasl_plain_username", "sasl_plain_password")
_HOST: Final = r"(?:[^][:/?,@\s]+|\[[^]/\s]+\])(?::\d{1,5})?"
_POSTGRES: Final = re.compile(
    rf"postgres(?:ql)?://(?:[^@/\s]*@)?(?:{_HOST}(?:,{_HOST})*)?(?:/[^?\s]*)?(?:\?\S*)?"
)
_NAME: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")


def _check_address(text: str) -> str:
    parse_host_port(text)
    return text


def _check_origins(text: str) -> str:
    parse_origins(text)
    return text


def _check_postgres_url(url: str) -> str:
    if not _POSTGRES.fullmatch(url):
        raise ValueError(f"write {SETTINGS['store_url'].form}")
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
LoopbackAddress = Annotated[str, AfterValidator(check_loopback)]
OriginList = Annotated[str, AfterValidator(_check_origins)]
PostgresUrl = Annotated[str, AfterValidator(_check_postgres_url)]
ExistingFile = Annotated[str, AfterValidator(_check_file)]
InstanceName = Annotated[str, AfterValidator(_check_name)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _field(name: str, **bounds: Any) -> Any:
    setting = SETTINGS[name]
    return Field(default=setting.default, description=setting.help, **bounds)


class Settings(BaseSettings):
    """The settings of one process of a cluster, frozen when it starts."""

    model_config = SettingsConfigDict(
        env_prefix="MUTUA_",
        frozen=True,
        env_ignore_empty=True,
        validate_default=False,
    )

    log_url: str = Field(description=SETTINGS["log_url"].help)
    store_url: PostgresUrl = _field("store_url")

    listen: ListenAddress = _field("listen")
    http_listen: LoopbackAddress = _field("http_listen")
    http_origins: OriginList = _field("http_origins")
    ingest_server: ListenAddress = _field("ingest_server")
    health_listen: ListenAddress = _field("health_listen")
    reuse_port: bool = _field("reuse_port")

    metrics_listen: str = _field("metrics_listen")
    log_format: LogFormat = _field("log_format")
    log_level: LogLevel = _field("log_level")

    partitions: int | None = _field("partitions", ge=1)
    queue_bytes: int = _field("queue_bytes", ge=16 << 20)
    facts_per_second: int = _field("facts_per_second", ge=1)

    instance: InstanceName = _field("instance")
    session_timeout_seconds: PositiveSeconds = _field("session_timeout_seconds", le=60)
    slab_records: int = _field("slab_records", ge=1, le=100_000)
    slab_bytes: int = _field("slab_bytes", ge=1_000, le=64 << 20)
    fetch_min_bytes: int = _field("fetch_min_bytes", ge=1, le=64 << 20)
    fetch_wait_seconds: PositiveSeconds = _field("fetch_wait_seconds", le=5)
    stuck_seconds: PositiveSeconds = _field("stuck_seconds")

    watch_seconds: PositiveSeconds = _field("watch_seconds", le=3600)

    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] | None = (
        _field("kafka_security_protocol")
    )
    kafka_ssl_cafile: ExistingFile | None = _field("kafka_ssl_cafile")
    kafka_ssl_certfile: ExistingFile | None = _field("kafka_ssl_certfile")
    kafka_ssl_keyfile: ExistingFile | None = _field("kafka_ssl_keyfile")
    kafka_ssl_password: SecretStr | None = _field("kafka_ssl_password")
    kafka_ssl_check_hostname: bool | None = _field("kafka_ssl_check_hostname")
    kafka_ssl_crlfile: ExistingFile | None = _field("kafka_ssl_crlfile")
    kafka_ssl_ciphers: str | None = _field("kafka_ssl_ciphers")
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"] | None = (
        _field("kafka_sasl_mechanism")
    )
    kafka_sasl_plain_username: str | None = _field("kafka_sasl_plain_username")
    kafka_sasl_plain_password: SecretStr | None = _field("kafka_sasl_plain_password")
    kafka_sasl_kerberos_name: str | None = _field("kafka_sasl_kerberos_name")
    kafka_sasl_kerberos_service_name: str | None = _field("kafka_sasl_kerberos_service_name")
    kafka_sasl_kerberos_domain_name: str | None = _field("kafka_sasl_kerberos_domain_name")

    @model_validator(mode="after")
    def _require_all_of_sasl(self) -> Self:
        if (self.kafka_security_protocol or "").startswith("SASL"):
            for name in _SASL[:1] if self.kafka_sasl_mechanism == "GSSAPI" else _SASL:
                if getattr(self, _KAFKA + name) is None:
                    missing = f"MUTUA_{(_KAFKA + name).upper()}"
                    raise ValueError(
                        f"{missing} is not set, and {self.kafka_security_protocol} needs it"
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
                "MUTUA_STORE_URL is not set", remedy=f"write {SETTINGS['store_url'].form}"
            )
        return self.store_url


def read_settings(**overrides: Any) -> Settings:
    """Reads the environment; `overrides` take precedence.

    Raises InvalidArgumentError, whose one line names every invalid setting.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise InvalidArgumentError(". ".join(map(_describe, error.errors()))) from None


def _describe(details: ErrorDetails) -> str:
    message = details["msg"].removeprefix("Value error, ")
    if not details["loc"]:
        return message
    name = f"MUTUA_{str(details['loc'][0]).upper()}"
    if details["type"] == "missing":
        return f"{name} is not set"
    # A URL may hold a password.
    value = "" if name.endswith("_URL") else f" is {details['input']!r}"
    is_word = not message[:2].isupper()  # HTTP is none
    return f"{name}{value}: {message[0].lower() if is_word else message[0]}{message[1:]}"
