"""HTTP listens on this machine alone, and says why."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from services.adapters.http.loopback import check_loopback
from services.cli.main import mutua


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.0.0.2:7421", "[::1]:7421", "localhost:1"])
def test_this_machine_is_accepted(address: str) -> None:
    assert check_loopback(address) == address


@pytest.mark.parametrize("address", ["0.0.0.0:7421", "[::]:7421", "192.0.2.1:1", "example.org:1"])
def test_another_address_is_refused_with_the_reason(tmp_path: Path, address: str) -> None:
    result = CliRunner().invoke(mutua, ["--data", str(tmp_path), "up", "--http-listen", address])
    assert result.exit_code == 2
    assert f"--http-listen {address}: HTTP listens on this machine alone" in result.output
    assert "because it cannot tell yet who asks" in result.output
