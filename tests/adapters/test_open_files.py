"""Connections leave files for the log and the read models, and silent ones are closed."""

import resource
from collections.abc import Iterator

import pytest

from services.adapters.open_files import (
    count_grpc_connections,
    count_http_connections,
    raise_file_limit,
)


@pytest.fixture(autouse=True)
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def set_soft_limit(count: int) -> None:
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard_limit))


def test_few_files_are_shared() -> None:
    set_soft_limit(1_024)
    assert (count_http_connections(), count_grpc_connections()) == (512, 384)


def test_limit_is_raised_and_never_lowered(limits: tuple[int, int]) -> None:
    soft_limit, hard_limit = limits
    set_soft_limit(min(soft_limit, 1_024))
    raise_file_limit()
    raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert raised >= min(soft_limit, 32_768)
    raise_file_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (raised, hard_limit)
