"""A fixture that builds the image once per session."""

from collections.abc import Iterator

import pytest

from tests.backing_services import build_or_skip, temporary_shared_folder
from tests.deploy.image import Image


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    with temporary_shared_folder() as folder:
        yield build_or_skip(lambda: Image(folder))
