"""The address of a view as filters and choices."""

from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from mutua.v1.query_service_pb2 import ListBalancesRequest, Question
from services.adapters.http.parameters import parse_request
from services.query.dashboard.view import Choices, View

_MAX_CHOICE_CHARACTERS = 1_000


class ViewRequest(NamedTuple):
    """What a view is asked for."""

    question: Question
    choices: Choices


def parse_view_request(view: View, query: bytes) -> ViewRequest:
    """Reads a query string: choices of the view, and filters named as in the JSON interface.

    Raises ImpossibleQuestionError, which names the parameter.
    """
    filters, choices = [], dict.fromkeys(view.choices, "")
    for name, value in parse_qsl(query.decode("latin-1")):
        if name in choices:
            choices[name] = value[:_MAX_CHOICE_CHARACTERS]
        else:
            filters.append((name, value))
    message = parse_request(urlencode(filters).encode(), ListBalancesRequest.DESCRIPTOR)
    return ViewRequest(message.question, choices)
