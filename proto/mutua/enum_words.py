"""Values of the contract's enums as the words that people type."""

from collections.abc import Iterable


def words_by_number(items: Iterable[tuple[str, int]]) -> dict[int, str]:
    """Number to word, such as 9 to shared-configuration, without the unspecified zero."""
    names = {number: name for name, number in items}
    prefix = names.pop(0).removesuffix("UNSPECIFIED")
    return {
        number: name.removeprefix(prefix).lower().replace("_", "-")
        for number, name in names.items()
    }
