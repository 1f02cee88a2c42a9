"""The result as tables of plain text."""

from collections.abc import Iterator, Sequence

from benchmarks.document import Document
from benchmarks.summary import Summary

Row = Sequence[str]
MIB = 2**20


def table(title: str, head: Row, rows: Sequence[Row]) -> str:
    """A table with the first column flush left and the others flush right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]

    def line(row: Row) -> str:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return "  ".join([row[0].ljust(widths[0]), *cells]).rstrip()

    return "\n".join([title, line(head), line(["-" * width for width in widths]), *map(line, rows)])


def ratio_text(ratio: float | None) -> str:
    """A ratio with about three digits, a dash when there is none."""
    if ratio is None:
        return "-"
    return f"{ratio:.0f}x" if ratio >= 100 else f"{ratio:.3g}x"


def cpu_texts(each: Summary) -> list[str]:
    """CPU seconds of broker, producer, consumer and others, and the broker's memory."""
    seconds = (each.broker_cpu_s, each.producer_cpu_s, each.consumer_cpu_s, each.other_cpu_s)
    memory = f"{each.broker_peak_bytes / MIB:.0f}" if each.broker_peak_bytes else "-"
    return [*(f"{value:.1f}" for value in seconds), memory]


CPU_HEAD = ("broker CPU s", "producer", "consumer", "other", "peak MiB")


def pipeline_table(document: Document) -> str:
    """Throughput, end to end."""
    summaries = document.summaries
    rows = [
        [
            f"{each.scenario.name:<7} {document.title(each.system)}",
            f"{each.records_per_s:,.0f}",
            f"{each.slowest_per_s:,.0f}-{each.fastest_per_s:,.0f}",
            f"{each.megabytes_per_s:,.0f}",
            ratio_text(summaries.speed_ratio(each)),
            *cpu_texts(each),
        ]
        for each in summaries.pipelines()
    ]
    head = ("pipeline", "records/s", "range", "MB/s", "TapeMQ/this", *CPU_HEAD)
    return table("Throughput, records/s end to end", head, rows)


def latency_table(document: Document) -> str:
    """Latency on an open-loop schedule."""
    summaries = document.summaries
    rows = [
        [
            f"{each.scenario.name:<17} {document.title(each.system)}",
            *(f"{each.latency_ms[name]:.2f}" for name in ("p50", "p99", "p99.9", "max")),
            ratio_text(summaries.latency_ratio(each, "p99")),
            *cpu_texts(each),
        ]
        for each in summaries.latencies()
    ]
    head = ("latency", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "TapeMQ/this p99", *CPU_HEAD)
    return table("Latency, planned send to checked receipt", head, rows)


def sync_table(document: Document) -> str:
    """Syncs of the brokers, counted by strace in runs of their own."""
    rows = [
        [
            f"{each.scenario.name:<17} {document.title(each.system)}",
            f"{each.total:,}",
            ", ".join(f"{count:,} {name}" for name, count in each.calls.items()) or "none",
            f"{each.records:,}",
            f"{each.total / each.elapsed_s:,.0f}",
        ]
        for each in document.syncs
    ]
    head = ("under strace", "syncs", "calls", "records", "syncs/s")
    return table("Syncs by the broker during a run", head, rows)


def goal_table(document: Document) -> str:
    """The goals."""
    rows = [[goal.text, goal.measured, "met" if goal.met else "MISSED"] for goal in document.goals]
    return table("Goals", ("goal", "measured", ""), rows)


def setting_lines(document: Document) -> Iterator[str]:
    """What was measured, on what and how."""
    yield ", ".join(f"{name} {value}" for name, value in document.machine.items())
    yield (
        f"{document.repetitions} repetitions of {document.seconds:g} s each, interleaved; medians; "
        "fresh broker, producer and consumer processes for each run; all on loopback"
    )
    for system, versions in document.versions.items():
        names = ", ".join(f"{name} {value}" for name, value in versions.items())
        yield f"{document.title(system)}: {names}"
        for scenario, settings in document.settings[system].items():
            values = ", ".join(f"{name} {value}" for name, value in settings.items())
            yield f"  {scenario}: {values}"


def report(document: Document) -> str:
    """All tables that have rows, and the settings."""
    parts = []
    if document.disturbed_runs:
        parts.append(
            f"DISTURBED: in {document.disturbed_runs} of {len(document.runs)} runs other work took "
            'more than a tenth of the machine; see the column "other"'
        )
    if document.summaries.pipelines():
        parts.append(pipeline_table(document))
    if document.summaries.latencies():
        parts.append(latency_table(document))
    if document.syncs:
        parts.append(sync_table(document))
    if document.goals:
        parts.append(goal_table(document))
    return "\n\n".join([*parts, "Settings\n" + "\n".join(setting_lines(document))])
