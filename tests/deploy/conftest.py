"""The image, built once for all that run it."""

from collections.abc import Iterator

import pytest

from tests.backends import or_skipped, reachable_folder
from tests.deploy.image import Image


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    with reachable_folder() as folder:
        yield or_skipped(lambda: Image(folder))
