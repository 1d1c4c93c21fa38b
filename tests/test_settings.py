"""Settings are read from the environment; one line names every invalid one."""

from typing import get_args

import pytest

from services.cli.main import mutua
from services.cli.server import up
from services.ledger.errors import InvalidArgumentError
from services.setting_table import COMMANDS, SETTINGS
from services.settings import Settings, read_settings
from tests.setting_documentation import DOCUMENT, replace_table


def test_environment_sets_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUTUA_LOG_URL", "kafka://one:1/facts")
    monkeypatch.setenv("MUTUA_STORE_URL", "postgresql://two")
    monkeypatch.setenv("MUTUA_SESSION_TIMEOUT_SECONDS", "3.5")
    settings = read_settings()
    assert (settings.log_url, settings.session_timeout_seconds) == ("kafka://one:1/facts", 3.5)


def test_error_names_every_invalid_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUTUA_LOG_URL", raising=False)
    monkeypatch.setenv("MUTUA_STORE_URL", "postgresql://two")
    monkeypatch.setenv("MUTUA_SLAB_RECORDS", "many")
    with pytest.raises(InvalidArgumentError) as error_info:
        read_settings()
    assert error_info.value.message.startswith(
        "MUTUA_LOG_URL is not set. MUTUA_SLAB_RECORDS is 'many': input should be a valid integer"
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"listen": "7420"}, "MUTUA_LISTEN is '7420': write HOST:PORT"),
        ({"listen": "here:70000"}, "write HOST:PORT with a port of 0 (any) to 65535"),
        ({"store_url": "mysql://ann:secret@one/two"}, "MUTUA_STORE_URL: write postgresql://"),
        ({"store_url": "postgresql://ann:secret@one:port/two"}, "write postgresql://"),
        (
            {"partitions": "0"},
            "MUTUA_PARTITIONS is '0': input should be greater than or equal to 1",
        ),
        ({"queue_bytes": "1000"}, "MUTUA_QUEUE_BYTES is '1000': input should be greater"),
        ({"facts_per_second": "0"}, "MUTUA_FACTS_PER_SECOND is '0': input should be greater"),
        ({"instance": "one/two"}, "MUTUA_INSTANCE is 'one/two': use up to 249 of"),
        ({"session_timeout_seconds": "61"}, "input should be less than or equal to 60"),
        ({"stuck_seconds": "nan"}, "MUTUA_STUCK_SECONDS is 'nan': input should be a finite number"),
        ({"fetch_wait_seconds": "0"}, "MUTUA_FETCH_WAIT_SECONDS is '0': input should be greater"),
        ({"kafka_security_protocol": "TLS"}, "input should be 'PLAINTEXT', 'SSL'"),
        ({"kafka_ssl_cafile": "/none"}, "MUTUA_KAFKA_SSL_CAFILE is '/none': there is no such file"),
        (
            {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "PLAIN"},
            "MUTUA_KAFKA_SASL_PLAIN_USERNAME is not set, and SASL_SSL needs it",
        ),
    ],
)
def test_invalid_value_is_refused_with_the_valid_form(
    overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidArgumentError) as error_info:
        read_settings(log_url="kafka://one:1/facts", **overrides)
    assert message in error_info.value.message
    assert "secret" not in error_info.value.message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgres:///mutua",
        "postgresql://ann:s%40cret@127.0.0.1:5432/mutua?sslmode=require",
        "postgresql://ann@one:1,two:2/mutua",
        "postgresql://[::1]:5432/mutua",
    ],
)
def test_postgresql_urls_are_accepted(url: str) -> None:
    assert read_settings(log_url="kafka://one:1/facts", store_url=url).store_url == url


def test_kerberos_needs_no_password() -> None:
    security = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "GSSAPI"}
    options = read_settings(log_url="kafka://one:1/facts", **security).kafka_options()
    assert options == {"security_protocol": "SASL_SSL", "sasl_mechanism": "GSSAPI"}


class TestSettingTable:
    def test_every_setting_is_in_the_table(self) -> None:
        read_by_commands = {each.name for each in SETTINGS.values() if each.read_by == COMMANDS}
        assert set(Settings.model_fields) | read_by_commands == set(SETTINGS)

    def test_table_feeds_default_and_description(self) -> None:
        for name, field in Settings.model_fields.items():
            assert field.description == SETTINGS[name].help
            assert field.is_required() or field.default == SETTINGS[name].default

    def test_numbers_have_a_unit_and_choices_are_those_of_the_type(self) -> None:
        for name, field in Settings.model_fields.items():
            form, types = SETTINGS[name].form, {field.annotation, *get_args(field.annotation)}
            if bool in types:
                assert form == "true|false"
            elif types & {int, float}:
                assert set(form.split()) & {"seconds", "bytes", "records", "partitions", "second"}
            else:
                words = {word for each in types for word in get_args(each) or [each]}
                assert "|" not in form or words >= set(form.split("|"))

    def test_options_read_the_table(self) -> None:
        options = [*mutua.params, *up.params]
        variables = {each.envvar: each.opts[0] for each in options if each.envvar}
        assert variables
        for variable, option in variables.items():
            setting = SETTINGS[str(variable).removeprefix("MUTUA_").lower()]
            assert setting.option.split()[-1] == option

    def test_documentation_has_every_row(self) -> None:
        text = DOCUMENT.read_text()
        lines = text.splitlines()
        assert [row for row in SETTINGS.values() if row.documentation not in lines] == []
        assert replace_table(text) == text, "make settings"
