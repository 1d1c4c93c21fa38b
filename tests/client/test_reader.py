"""The blocking reader is the one that its source generates."""

from tests.client.blocking_reader import TARGET, generate


def test_reader_is_generated_from_async_reader() -> None:
    assert TARGET.read_text() == generate(), "run make proto and commit what it generates"
