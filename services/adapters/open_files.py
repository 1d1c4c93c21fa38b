"""How many files, and so connections, a process opens."""

import resource
from contextlib import suppress
from typing import Final

_ENOUGH_FILES: Final = 32_768
_MAX_HTTP_CONNECTIONS: Final = 4_096
_MAX_GRPC_CONNECTIONS: Final = 16_384


def raise_file_limit() -> None:
    """Lets the process open as many files as the system allows it, up to what connections need.

    Most systems begin with 1,024, and let a process raise that itself.
    """
    soft_limit, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_unlimited = hard_limit == resource.RLIM_INFINITY
    file_count = _ENOUGH_FILES if is_unlimited else min(_ENOUGH_FILES, hard_limit)
    if soft_limit != resource.RLIM_INFINITY and soft_limit < file_count:
        with suppress(ValueError, OSError):  # macOS has a further, lower limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (file_count, hard_limit))


def count_http_connections() -> int:
    """Maximum number of connections of HTTP: half of the files, up to 4,096."""
    return min(_MAX_HTTP_CONNECTIONS, _count_files() // 2)


def count_grpc_connections() -> int:
    """Maximum number of connections of gRPC: up to 16,384, and an eighth of the files is left.

    Without the eighth, connections would take the files of the log and the read models.
    """
    files = _count_files()
    return min(_MAX_GRPC_CONNECTIONS, files - count_http_connections() - files // 8)


def _count_files() -> int:
    soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH_FILES if soft_limit == resource.RLIM_INFINITY else soft_limit
