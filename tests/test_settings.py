"""Settings come from the environment, and what is wrong with them is said in a line."""

import pytest

from services.ledger.errors import InvalidArgument
from services.settings import Settings, read_settings


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUTUA_LOG_URL", "kafka://one:1/facts")
    monkeypatch.setenv("MUTUA_STORE_URL", "postgresql://two")
    monkeypatch.setenv("MUTUA_SESSION_TIMEOUT_SECONDS", "3.5")
    settings = read_settings()
    assert (settings.log_url, settings.session_timeout_seconds) == ("kafka://one:1/facts", 3.5)


def test_what_is_missing_or_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUTUA_LOG_URL", raising=False)
    monkeypatch.setenv("MUTUA_STORE_URL", "postgresql://two")
    monkeypatch.setenv("MUTUA_SLAB_RECORDS", "many")
    with pytest.raises(InvalidArgument) as told:
        read_settings()
    assert told.value.message.startswith(
        "MUTUA_LOG_URL is not set; MUTUA_SLAB_RECORDS input should be a valid integer"
    )


def test_every_setting_of_ours_says_what_it_is() -> None:
    assert all(
        field.description
        for name, field in Settings.model_fields.items()
        if not name.startswith("kafka_")  # these are kafka-python's
    )
