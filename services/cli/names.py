"""Organizations by the names that people type at a command."""

import click

from mutua import directory


class Directory(directory.Directory):
    """Says of a name that several go by what to type instead."""

    def find(self, typed: str) -> str | None:
        """The id meant, or None when nobody is called so. Raises UsageError when several are."""
        try:
            return super().find(typed)
        except directory.AmbiguousName as error:
            raise click.UsageError(f"{typed!r} {error}: type the id.") from error
