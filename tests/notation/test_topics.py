"""Topics as people call them."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.errors import Violation
from services.ledger.validation import check_topic
from services.notation.errors import NotationError
from services.notation.topics import TopicReader, is_plain_label, slugify


@pytest.mark.parametrize(
    ("label", "topic"),
    [
        ("E-Prescribing (ePMA)", "e-prescribing-epma"),
        ("IT & data", "it-and-data"),
        ("Überwachung", "uberwachung"),
        ("Beds, flow", "beds-flow"),
        ("COVID-19", "covid-19"),
        ("patient portal/app", "patient-portal-app"),
        ("Discharge - letters", "discharge-letters"),
        ("Bed_management", "bed-management"),
        ("Straße", "strasse"),
        ("Smørrebrød", "smorrebrod"),
        ("what?", "what"),
        ("Staff's rota", "staffs-rota"),
    ],
)
def test_slugify_makes_lower_kebab(label: str, topic: str) -> None:
    assert slugify(label) == topic


@pytest.mark.parametrize("label", ["Биопсия", "IT и данные", "???", "数据"])
def test_slugify_refuses_other_scripts(label: str) -> None:
    with pytest.raises(NotationError, match=re.escape(f"--topic-map '{label}=TOPIC'")):
        slugify(label)


@given(st.text(max_size=40))
def test_slug_is_valid_topic_and_its_own_slug(label: str) -> None:
    try:
        topic = slugify(label)
    except NotationError:
        return
    violations: list[Violation] = []
    check_topic(topic[:128].strip("-"), "topic", violations)
    assert violations == []
    assert slugify(topic) == topic
    assert is_plain_label(topic)


class TestTopicReader:
    def test_reads_several_and_collects_labels(self) -> None:
        topics = TopicReader()
        assert topics.read_topics("Bed management| E-Prescribing; IT & data;") == [
            "bed-management",
            "e-prescribing",
            "it-and-data",
        ]
        topics.read_topics("IT and data")
        assert list(topics.labels["it-and-data"]) == ["IT & data", "IT and data"]

    def test_topic_map_precedes_slug(self) -> None:
        topics = TopicReader({"Beds,  Flow": "bed-management"})
        assert topics.read_topics("beds, flow") == ["bed-management"]
        assert "bed-management" not in topics.labels

    @pytest.mark.parametrize("topic", ["Beds", "a b", "", "a--b"])
    def test_invalid_topic_map_is_refused(self, topic: str) -> None:
        with pytest.raises(NotationError, match="must be lower-kebab"):
            TopicReader({"Beds, flow": topic})


def test_plain_labels_equal_their_slug() -> None:
    plain: Sequence[str] = ("Bed management", "bed_management", "COVID-19")
    assert all(map(is_plain_label, plain))
    assert not any(
        map(is_plain_label, ("IT & data", "Überwachung", "Straße", "Discharge - letters"))
    )
