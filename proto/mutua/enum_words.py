"""Values of the contract's enums as the words that people type."""

from collections.abc import Callable, Iterable

from google.protobuf.descriptor import EnumDescriptor


def words_by_number(items: Iterable[tuple[str, int]]) -> dict[int, str]:
    """Number to word, such as 9 to shared-configuration, without the unspecified zero."""
    names = {number: name for name, number in items}
    prefix = names.pop(0).removesuffix("UNSPECIFIED")
    return {
        number: name.removeprefix(prefix).lower().replace("_", "-")
        for number, name in names.items()
    }


def read_enum_word(enum: EnumDescriptor) -> Callable[[int], str | None]:
    """A function that returns a number's word: None for the unspecified zero.

    A number of a later contract is its digits.
    """
    words = words_by_number((each.name, each.number) for each in enum.values)
    return lambda number: words.get(number, str(number)) if number else None
