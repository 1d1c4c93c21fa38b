"""Every setting of the processes of a cluster, read from the environment under MUTUA_."""

from typing import Any, Final

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.ledger.errors import InvalidArgument
from services.logs import Form, Level

_KAFKA: Final = "kafka_"


class Settings(BaseSettings):
    """What one process is started with; nothing changes it afterwards."""

    model_config = SettingsConfigDict(
        env_prefix="MUTUA_", frozen=True, env_ignore_empty=True, use_attribute_docstrings=True
    )

    log_url: str
    """`kafka://host:port,host:port/topic`"""
    store_url: str = ""
    """`postgresql://...`, where the read models are; those who only record do without."""

    listen: str = "127.0.0.1:7420"
    """Where calls are taken; port 0 takes a free one."""
    reuse_port: bool = False
    """Whether several processes share the address; the kernel spreads connections over them."""

    metrics_listen: str = ""
    """Where Prometheus reads how the process does; without an address nothing is measured."""
    log_format: Form = "text"
    """How the process says things on stderr: lines of `text`, or objects of `json`."""
    log_level: Level = "warning"
    """The least that is said: `info` has a line for every call."""

    partitions: int | None = Field(default=None, ge=1)
    """How many partitions the topic must have; None takes it as it is."""
    queue_bytes: int = Field(default=64 << 20, ge=16 << 20)
    """What may wait for Kafka in one process, each record counted with 1,000 bytes beside it."""
    facts_per_second: int = Field(default=10_000, ge=1)
    """What one programme may record through one process."""

    instance: str = ""
    """The name of this projector among its likes, the same after a restart: its partitions then
    wait for it, for up to the session timeout. Without one they are moved."""
    session_timeout_seconds: float = 10.0
    """So long may a projector be silent before others take over."""
    slab_records: int = 5_000
    """At most so many records of a partition in one transaction."""
    slab_bytes: int = 1_000_000
    """At most so many bytes of a partition are fetched at once."""
    fetch_min_bytes: int = 65_536
    """The broker waits for so much before it answers a fetch ..."""
    fetch_wait_seconds: float = 0.025
    """... but no longer than this; new facts are seen so much later."""
    stuck_seconds: float = 30.0
    """A projector that gets no further for so long ends itself."""

    kafka_security_protocol: str | None = None
    kafka_ssl_cafile: str | None = None
    kafka_ssl_certfile: str | None = None
    kafka_ssl_keyfile: str | None = None
    kafka_ssl_password: SecretStr | None = None
    kafka_ssl_check_hostname: bool | None = None
    kafka_ssl_crlfile: str | None = None
    kafka_ssl_ciphers: str | None = None
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_plain_username: str | None = None
    kafka_sasl_plain_password: SecretStr | None = None
    kafka_sasl_kerberos_name: str | None = None
    kafka_sasl_kerberos_service_name: str | None = None
    kafka_sasl_kerberos_domain_name: str | None = None

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
        """For those who cannot do without. Raises InvalidArgument."""
        if not self.store_url.startswith(("postgresql://", "postgres://")):
            raise InvalidArgument(
                f"MUTUA_STORE_URL is {self.store_url!r}; read models are named postgresql://..."
            )
        return self.store_url


def read_settings(**given: Any) -> Settings:
    """What is given, and else what the environment says. Raises InvalidArgument in one line."""
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = [
            f"MUTUA_{str(each['loc'][0]).upper()} "
            + ("is not set" if each["type"] == "missing" else each["msg"].lower())
            for each in error.errors()
        ]
        raise InvalidArgument("; ".join(problems)) from None
