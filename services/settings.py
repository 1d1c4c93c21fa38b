"""Every setting of the processes that have settings of their own, from MUTUA_ variables."""

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the environment says."""

    model_config = SettingsConfigDict(env_prefix="MUTUA_", frozen=True)

    log_url: str = Field(description="kafka://HOST:PORT,HOST:PORT/TOPIC")
    store_url: str = Field(description="postgresql://..., where the read models are")

    instance: str = Field(
        default="",
        description="The name of this projector among its likes, the same after a restart: its "
        "partitions then wait for it, for up to the session timeout. Without one they are moved.",
    )
    session_timeout_seconds: float = Field(
        default=10.0, description="So long may a projector be silent before others take over."
    )
    slab_records: int = Field(
        default=5_000, description="At most so many records of a partition in one transaction."
    )
    slab_bytes: int = Field(
        default=1_000_000, description="At most so many bytes of a partition are fetched at once."
    )
    fetch_min_bytes: int = Field(
        default=65_536, description="The broker waits for so much before it answers a fetch ..."
    )
    fetch_wait_seconds: float = Field(
        default=0.025, description="... but no longer than this; new facts are seen so much later."
    )
    stuck_seconds: float = Field(
        default=30.0, description="A projector that gets no further for so long ends itself."
    )


def read_settings() -> Settings:
    """What the environment says; ends the process with a line when it is not complete."""
    try:
        return Settings()
    except ValidationError as error:
        said = (f"MUTUA_{each['loc'][0]}".upper() + f": {each['msg']}" for each in error.errors())
        raise SystemExit("; ".join(said)) from None
