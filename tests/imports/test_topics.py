"""Topics of a file: their slugs, and what they are shown as."""

from mutua.v1.query_service_pb2 import Topic
from tests.imports.importer import HEADER, Importer

WITH_TOPICS = f"{HEADER},topics"
LABELS = {
    # r23-topics.csv
    "E-Prescribing (ePMA)": "e-prescribing-epma",
    "IT & data": "it-and-data",
    "Überwachung": "uberwachung",
    "Beds, flow": "beds-flow",
    "COVID-19": "covid-19",
    "patient portal/app": "patient-portal-app",
    "Discharge - letters": "discharge-letters",
}


def rows(*topics: str) -> tuple[str, ...]:
    return tuple(f'r{n},2025-03-02,A,B,call,"{topic}"' for n, topic in enumerate(topics))


def recorded_topics(importer: Importer) -> list[list[str]]:
    facts = [event.exchange_recorded for event in importer.programme.events.values()]
    return [list(fact.exchange.topics) for fact in facts if fact.HasField("exchange")]


def recorded_labels(importer: Importer) -> dict[str, str]:
    facts = [event.programme_configured for event in importer.programme.events.values()]
    return {each.topic: each.label for fact in facts for each in fact.topics}


def test_label_becomes_topic_and_display_label(importer: Importer) -> None:
    report = importer.import_rows(*rows(*LABELS), header=WITH_TOPICS)
    assert report.ok, report.errors
    assert recorded_topics(importer) == [[topic] for topic in LABELS.values()]
    labels = {topic: label for label, topic in LABELS.items() if label != "COVID-19"}
    assert recorded_labels(importer) == labels
    assert any('it-and-data as "IT & data"' in note for note in report.notes)


def test_labels_are_recorded_once(importer: Importer) -> None:
    importer.import_rows(*rows("IT & data"), header=WITH_TOPICS)
    count = len(importer.programme.events)
    again = importer.import_rows(*rows("IT & data"), header=WITH_TOPICS, name="log.csv")
    assert (again.counts.unchanged, len(importer.programme.events)) == (1, count)


def test_programme_label_stays(importer: Importer) -> None:
    importer.programme.configuration.topics.append(Topic(topic="it-and-data", label="Digital"))
    report = importer.import_rows(*rows("IT & data", "Beds"), header=WITH_TOPICS)
    assert (recorded_labels(importer), report.notes) == ({}, ())


def test_dry_run_reports_labels_and_records_none(importer: Importer) -> None:
    report = importer.import_rows(*rows("IT & data"), header=WITH_TOPICS, dry_run=True)
    assert any("shown by their labels" in note for note in report.notes)
    assert importer.programme.events == {}


def test_two_labels_of_one_topic_are_noted(importer: Importer) -> None:
    report = importer.import_rows(
        *rows("IT & data", "IT and data", "it and DATA"), header=WITH_TOPICS
    )
    [note] = [note for note in report.notes if "are one topic" in note]
    assert note.startswith('"IT & data" and "it and DATA" are one topic, it-and-data')


def test_case_and_hyphens_make_no_other_label(importer: Importer) -> None:
    report = importer.import_rows(*rows("Bed management", "bed-management"), header=WITH_TOPICS)
    assert not any("one topic" in note for note in report.notes)


def test_topic_map_resolves_label(importer: Importer) -> None:
    mapped = {"Beds, flow": "bed-management", "Биопсия": "biopsy"}
    report = importer.import_rows(
        *rows("beds, flow", "Биопсия"), header=WITH_TOPICS, topic_map=mapped
    )
    assert report.ok
    assert recorded_topics(importer) == [["bed-management"], ["biopsy"]]
    assert recorded_labels(importer) == {}


def test_semicolons_separate_topics(importer: Importer) -> None:
    importer.import_rows(*rows("IT & data; Beds, flow|COVID-19"), header=WITH_TOPICS)
    assert recorded_topics(importer) == [["beds-flow", "covid-19", "it-and-data"]]


def test_label_without_latin_letters_is_refused_with_remedy(importer: Importer) -> None:
    report = importer.import_rows(*rows("Биопсия"), header=WITH_TOPICS)
    assert "--topic-map 'Биопсия=TOPIC'" in report.errors[0].message


def test_duration_in_days_needs_working_day(importer: Importer) -> None:
    row, header = "r,2025-03-02,A,B,visit,half a day", f"{HEADER},minutes"
    report = importer.import_rows(row, header=header)
    assert "mutua programme set --working-day-minutes 450" in report.errors[0].message
    importer.programme.configuration.working_day_minutes = 450
    assert importer.import_rows(row, header=header).ok
    [event] = importer.programme.events.values()
    assert event.exchange_recorded.exchange.giver_minutes == 225


def test_programme_topics_are_split_at_commas(importer: Importer) -> None:
    importer.programme.configuration.topics.append(Topic(topic="it-and-data", label="IT & data"))
    importer.programme.configuration.topics.append(Topic(topic="medicines"))
    importer.programme.configuration.topics.append(Topic(topic="beds-flow", label="Beds, flow"))
    cells = ("IT & data, Medicines", "Beds, flow", "Medicines, Elsewhere", "Medicines, Flow")
    report = importer.import_rows(
        *rows(*cells), header=WITH_TOPICS, topic_map={"Flow": "beds-flow"}, dry_run=False
    )
    assert recorded_topics(importer) == [
        ["it-and-data", "medicines"],
        ["beds-flow"],
        ["medicines-elsewhere"],
        ["beds-flow", "medicines"],
    ]
    assert (
        'Read as several topics of the programme, at the commas: "IT & data, Medicines" and '
        '"Medicines, Flow".'
    ) in report.notes
    assert (
        'Read as one topic each, with their commas: "Medicines, Elsewhere". Between topics write ;.'
    ) in report.notes
