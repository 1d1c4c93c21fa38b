from pathlib import Path

import pytest

from tests.imports.importer import Importer


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)
