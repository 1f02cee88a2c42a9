from itertools import product

import pytest

from tapemq_broker.storage.decision import (
    TABLE,
    CleanCheck,
    Findings,
    Pattern,
    Place,
    Row,
    decide,
)

YES_NO = (False, True)
EVERYTHING = [
    Findings(*values) for values in product(Place, CleanCheck, YES_NO, YES_NO, YES_NO, YES_NO)
]


def test_every_combination_of_findings_meets_exactly_one_line() -> None:
    for findings in EVERYTHING:
        assert len([line for line in TABLE if line.matches(findings)]) == 1, findings


def test_every_row_and_every_line_applies_to_something() -> None:
    assert {decide(findings) for findings in EVERYTHING} == set(Row)
    for line in TABLE:
        assert any(line.matches(findings) for findings in EVERYTHING), line


def test_nothing_that_is_proven_is_ever_cut_or_invented() -> None:
    for findings in EVERYTHING:
        row = decide(findings)
        if findings.proven:
            assert row.refuses, findings
        if findings.clean is not CleanCheck.ABSENT:
            assert row.refuses or row is Row.CLEAN, findings


def test_bad_place_is_never_opened_as_it_is() -> None:
    opened = {Row.NEW_LOG, Row.CLEAN, Row.COVERED, Row.KEPT, Row.FINISHED_CUT}
    for findings in EVERYTHING:
        if findings.place not in (Place.NOTHING, Place.END):
            assert decide(findings) not in opened, findings


def test_interrupted_cut_is_never_forgotten() -> None:
    for findings in EVERYTHING:
        if findings.unfinished:
            row = decide(findings)
            assert row.refuses or row.cuts or row in (Row.FINISHED_CUT, Row.CLEAN), findings


def test_each_row_either_refuses_cuts_or_opens() -> None:
    assert not [row for row in Row if row.refuses and row.cuts]
    assert {row for row in Row if row.cuts} == {
        Row.TORN_SHORT,
        Row.TORN_ZEROS,
        Row.TORN_LAST,
        Row.TORN_REORDERED,
        Row.TORN_GAP,
    }


@pytest.mark.parametrize(
    ("findings", "row"),
    [
        (Findings(Place.NOTHING), Row.NEW_LOG),
        (Findings(Place.NOTHING, proven=True), Row.MISSING_LOG),
        (Findings(Place.NOTHING, CleanCheck.MATCHES), Row.CLEAN),
        (Findings(Place.NOTHING, unfinished=True), Row.FINISHED_CUT),
        (Findings(Place.END, CleanCheck.MATCHES, covered=True), Row.CLEAN),
        (Findings(Place.END, CleanCheck.DIFFERS), Row.CLEAN_MISMATCH),
        (Findings(Place.END), Row.KEPT),
        (Findings(Place.END, covered=True), Row.COVERED),
        (Findings(Place.END, covered=True, unfinished=True), Row.FINISHED_CUT),
        (Findings(Place.END, proven=True), Row.MISSING_BYTES),
        (Findings(Place.SHORT), Row.TORN_SHORT),
        (Findings(Place.SHORT, proven=True), Row.MISSING_BYTES),
        (Findings(Place.ZEROS), Row.TORN_ZEROS),
        (Findings(Place.ZEROS, later=True), Row.TORN_REORDERED),
        (Findings(Place.ZEROS, proven=True), Row.ROT),
        (Findings(Place.DAMAGED), Row.TORN_LAST),
        (Findings(Place.DAMAGED, later=True), Row.TORN_REORDERED),
        (Findings(Place.DAMAGED, later=True, proven=True), Row.ROT),
        (Findings(Place.DAMAGED, CleanCheck.MATCHES), Row.ROT),
        (Findings(Place.GAP), Row.TORN_GAP),
        (Findings(Place.GAP, later=True, proven=True), Row.MISSING_SEGMENT),
        (Findings(Place.FOREIGN), Row.MISDIRECTED),
        (Findings(Place.NEWER), Row.NEWER_FORMAT),
        (Findings(Place.UNREADABLE), Row.UNREADABLE),
    ],
)
def test_rows_as_written_down(findings: Findings, row: Row) -> None:
    assert decide(findings) is row


def test_pattern_asks_for_what_it_names_only() -> None:
    pattern = Pattern(Row.KEPT, Place.END, covered=False)
    assert pattern.matches(Findings(Place.END, proven=True))
    assert not pattern.matches(Findings(Place.END, covered=True))
    assert not pattern.matches(Findings(Place.SHORT))
