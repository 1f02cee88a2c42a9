import json
from dataclasses import replace

import pytest

from benchmarks.document import Document
from benchmarks.measurement import SyncCount
from benchmarks.report import ratio_text, report, table
from tests.support.measurements import LATENCY, PIPELINE, latency, pipeline

RUNS = [
    pipeline("tapemq", 900_000),
    pipeline("rabbitmq-classic", 30_000),
    latency("tapemq", 1.25),
    latency("rabbitmq-classic", 2.5),
]


@pytest.fixture
def document() -> Document:
    return Document(
        machine={"cores": 2},
        repetitions=3,
        seconds=10,
        titles={"tapemq": "TapeMQ", "rabbitmq-classic": "Classic"},
        versions={"tapemq": {"tapemq": "0.1.0"}},
        settings={"tapemq": {PIPELINE.name: {"form": "records"}}},
        runs=RUNS,
        syncs=[SyncCount("tapemq", LATENCY, 3_000, 3.0, {"fdatasync": 1_500, "fsync": 3})],
        taken_at="2030-01-02T03:04:05+00:00",
    )


def test_table_is_aligned() -> None:
    assert table("T", ("name", "n"), [["a", "1,000"], ["long name", "2"]]).splitlines() == [
        "T",
        "name           n",
        "---------  -----",
        "a          1,000",
        "long name      2",
    ]


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(None, "-"), (0.25, "0.25x"), (1.234, "1.23x"), (31.26, "31.3x"), (149.7, "150x")],
)
def test_ratio_text(ratio: float | None, text: str) -> None:
    assert ratio_text(ratio) == text


def words(text: str, line_start: str) -> list[str]:
    return next(line for line in text.splitlines() if line.startswith(line_start)).split()


def test_report_has_rates_latencies_syncs_goals_and_settings(document: Document) -> None:
    text = report(document)
    row = words(text, "100 B   Classic")
    assert row[3:7] == ["30,000", "30,000-30,000", "3", "30x"]
    assert row[7:] == ["4.0", "3.0", "2.0", "0.5", "1"]
    assert words(text, "1 KiB at 1,000/s  Classic")[5:10] == [
        "1.25",
        "2.50",
        "5.00",
        "10.00",
        "0.5x",
    ]
    assert "1,503  1,500 fdatasync, 3 fsync    3,000      501" in text
    assert "100 B: tapemq at least 30 times rabbitmq-classic" in text
    assert "TapeMQ: tapemq 0.1.0" in text
    assert "3 repetitions of 10 s each" in text


def test_disturbed_runs_are_reported(document: Document) -> None:
    assert "DISTURBED" not in report(document)
    calm = document.runs[0]
    document.runs.append(replace(calm, other_cpu_s=2.1))
    assert "DISTURBED: in 1 of 5 runs" in report(document)


def test_json_holds_runs_summaries_and_goals(document: Document) -> None:
    fields = json.loads(document.to_json())
    assert fields["format"] == 1
    assert [run["records"] for run in fields["runs"]] == [run.records for run in RUNS]
    assert [each.get("tapemq_speed_ratio") for each in fields["summaries"]][:2] == [1, 30]
    assert [each.get("tapemq_p99_ratio") for each in fields["summaries"]][2:] == [1, 0.5]
    assert fields["goals"] == [
        {
            "text": "100 B: tapemq at least 30 times rabbitmq-classic",
            "measured": "30.00 times",
            "met": True,
        }
    ]
