"""Reports an error: a sentence for people, one JSON object for programs."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import click

from mutua import FieldViolation
from mutua import MutuaError as ClientError
from services.ledger.errors import MutuaError

_PATH = re.compile(r"\b(?:events\[\d+\]|question)(?:\.\w+(?:\[\d+\])?)+")
# Alone, and not quoted: quotes hold what somebody typed.
_FIELD = re.compile(r"(?<!['\w.-])[a-z]+_[a-z_]+(?!['\w])")
_MESSAGES: Final = frozenset({"organization", "exchange"})
"""Fields of the contract that contain fields; a parameter of the same name is something else."""
_PARAMETERS: Final = {
    "occur_time": ("on", "month"),
    "occur_precision": ("on", "month"),
    "programme_id": ("programme",),
}
"""Fields of the contract that a command takes in a parameter of another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReport:
    """What went wrong; `code` is a gRPC status by name, `reason` one of the contract's or ""."""

    message: str
    code: str
    reason: str = ""
    request_id: str = ""
    """Id of the request in the server's log; "" if no request was sent."""
    violations: tuple[FieldViolation, ...] = ()

    @classmethod
    def from_error(cls, error: MutuaError | ClientError | OSError) -> "ErrorReport":
        match error:
            case MutuaError():
                return cls(
                    message=error.message,
                    code=error.code,
                    reason=error.reason,
                    violations=tuple(
                        FieldViolation(violation.field, violation.description)
                        for violation in error.violations
                    ),
                )
            case ClientError():
                return cls(
                    message=error.message,
                    code=error.code.name,
                    reason=error.reason,
                    request_id=error.request_id,
                    violations=error.field_violations,
                )
            case _:
                message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
                return cls(message=message, code="UNKNOWN")

    def show(self, words: Sequence[str], parameters: Mapping[str, str] | None = None) -> None:
        """Writes to stderr, in the format that the words of the command line ask for.

        `parameters` has the options of the command by name. A table's reader sees them where the
        contract has a field; JSON keeps the fields.
        """
        if is_json_requested(words):
            click.echo(json.dumps({"error": self._document()}, ensure_ascii=False), err=True)
            return
        options = parameters or {}
        click.echo(f"error: {replace_fields_with_options(self.message, options)}", err=True)
        for violation in self.violations:
            # A server may cut a long description.
            if violation.description.removesuffix("…") in self.message:
                continue
            line = f"{violation.field}: {violation.description}"
            click.echo(f"  {replace_fields_with_options(line, options)}", err=True)

    def _document(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "reason": self.reason,
            "message": self.message,
            "request_id": self.request_id,
            "field_violations": [asdict(violation) for violation in self.violations],
        }


def is_json_requested(words: Sequence[str]) -> bool:
    """Whether a command line asks for JSON, even one that cannot be understood."""
    return "--format=json" in words or ("--format", "json") in pairwise(words)


def replace_fields_with_options(text: str, parameters: Mapping[str, str]) -> str:
    """The text with options such as --to in place of fields such as `receiver_ids[0]`.

    A field without a parameter of the command remains unchanged.
    """

    def option(match: re.Match[str]) -> str:
        # The last field, else the list that has it: `topics[0].topic` is an item of `topics`.
        fields = re.sub(r"\[\d+\]", "", match[0]).split(".")[:-3:-1]
        names = [name for field in fields for name in (field, *_PARAMETERS.get(field, ()))]
        return next(
            (parameters[name] for name in names if name in parameters and name not in _MESSAGES),
            match[0],
        )

    return _FIELD.sub(option, _PATH.sub(option, text))


def list_parameters(root: click.Command, words: Sequence[str]) -> dict[str, str]:
    """The options and arguments of the command that a sound command line calls, by name."""
    command, rest = root, list(words)
    options: dict[str, str] = {}
    while True:
        options |= {
            each.name: each.opts[0] if isinstance(each, click.Option) else each.human_readable_name
            for each in command.params
            if each.name
        }
        if not isinstance(command, click.Group):
            return options
        context = click.Context(command)
        _, rest, _ = command.make_parser(context).parse_args(rest)
        below = command.get_command(context, rest[0]) if rest else None
        if below is None:
            return options
        command, rest = below, rest[1:]
