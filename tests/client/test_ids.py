import time
from uuid import UUID

import pytest

from mutua.ids import uuid7, uuid7_of, uuid8


class TestUuid7:
    def test_has_version_7_and_its_millisecond(self) -> None:
        before = time.time_ns() // 1_000_000
        ids = [UUID(uuid7()) for _ in range(1_000)]
        after = time.time_ns() // 1_000_000

        assert len(set(ids)) == 1_000
        assert {each.version for each in ids} == {7}
        assert {each.variant for each in ids} == {"specified in RFC 4122"}
        assert all(before <= each.int >> 80 <= after for each in ids)

    def test_derived_ids_sort_by_time(self) -> None:
        milliseconds = 1_700_000_000_123
        # The digest is that of ("a", "bc") above.
        assert uuid7_of(milliseconds, "a", "bc") == "018bcfe5-687b-7534-8e16-ac9c8b36823f"
        assert uuid7_of(milliseconds, "a", "bc") < uuid7_of(milliseconds + 1, "a", "b")


class TestUuid8:
    @pytest.mark.parametrize(
        ("parts", "derived"),
        [
            # Computed by sha256sum over the framed bytes; version and variant set by hand.
            (("exchange", "default", "dpdk", "1", "row-1"), "18b9fc2d-2281-86dd-8d2f-9b7779fb79c8"),
            (("a", "bc"), "b534ce16-ac9c-8b36-823f-39a395ce8e0e"),
            (("ab", "c"), "f2939f90-3016-85bb-a9b1-e4a61cdbd376"),
            (("organization", "Bolton é"), "98079c8b-c068-830a-b725-b546a898f9be"),
        ],
    )
    def test_hashes_its_parts(self, parts: tuple[str, ...], derived: str) -> None:
        assert uuid8(*parts) == derived
        assert UUID(derived).version == 8
