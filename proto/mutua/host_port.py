"""Parses addresses of the form HOST:PORT."""

from typing import Final

MAX_PORT: Final = 65_535


def parse_host_port(address: str) -> tuple[str, int]:
    """The host, with the brackets of an IPv6 address, and the port. Raises ValueError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > MAX_PORT:
        raise ValueError(f"write HOST:PORT with a port of 0 (any) to {MAX_PORT}")
    return host, int(port)
