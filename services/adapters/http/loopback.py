"""Where HTTP may listen: on this machine alone, until callers have an identity."""

from functools import lru_cache
from ipaddress import ip_address

from mutua.host_port import parse_host_port


def check_loopback(address: str) -> str:
    """Returns a HOST:PORT on loopback. Raises ValueError for another, which says why."""
    host, _ = parse_host_port(address)
    if not is_loopback(host):
        raise ValueError(
            "HTTP listens on this machine alone (127.0.0.1, [::1] or localhost), because it cannot "
            "tell yet who asks; for others, put a proxy in front of it that can"
        )
    return address


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host, with brackets if it is an IPv6 address, is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
