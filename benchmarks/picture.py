"""The result as a picture."""

from pathlib import Path
from typing import Any

from benchmarks.document import Document
from benchmarks.summary import Summary

COLOURS = {
    "tapemq": "#0b6e4f",
    "tapemq-batches": "#6bbf9a",
    "rabbitmq-classic": "#e07a1f",
    "rabbitmq-stream": "#f2b880",
    "append+fdatasync": "#888888",
}


def label(value: float) -> str:
    """A value in few characters: 1.23M, 345k, 6.7."""
    for unit, name in ((1e6, "M"), (1e3, "k"), (1, "")):
        if value >= unit:
            return (
                f"{value / unit:.0f}{name}" if value >= 100 * unit else f"{value / unit:.3g}{name}"
            )
    return f"{value:.2g}"


def bars(axes: Any, document: Document, rows: list[Summary], values: list[float]) -> None:
    """Groups of bars: one group for each scenario, one bar for each system, labelled."""
    scenarios = list(dict.fromkeys(row.scenario for row in rows))
    systems = list(dict.fromkeys(row.system for row in rows))
    width = 0.8 / len(systems)
    for number, system in enumerate(systems):
        mine = [
            (row, value) for row, value in zip(rows, values, strict=True) if row.system == system
        ]
        places = [scenarios.index(row.scenario) + (number + 0.5) * width - 0.4 for row, _ in mine]
        drawn = axes.bar(
            places,
            [value for _, value in mine],
            width * 0.92,
            label=document.title(system),
            color=COLOURS.get(system),
        )
        axes.bar_label(drawn, labels=[label(value) for _, value in mine], fontsize=7)
    axes.set_xticks(range(len(scenarios)), [scenario.name for scenario in scenarios])
    axes.set_yscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)


def draw(document: Document, path: Path) -> None:
    """Write a PNG with throughput and p99 latency, as far as they were measured."""
    import matplotlib  # Only those who measure have it installed.

    matplotlib.use("agg")
    from matplotlib import pyplot

    summaries = document.summaries
    speed, late = summaries.pipelines(), summaries.latencies()
    panels = [
        (speed, [row.records_per_s for row in speed], "records/s end to end (log scale)"),
        (late, [row.latency_ms["p99"] for row in late], "p99 latency, ms (log scale)"),
    ]
    panels = [panel for panel in panels if panel[0]]
    figure, grid = pyplot.subplots(1, len(panels), figsize=(7 * len(panels), 5), squeeze=False)
    for axes, (rows, values, title) in zip(grid[0], panels, strict=True):
        bars(axes, document, rows, values)
        axes.set_title(title)
    machine = document.machine
    figure.suptitle(
        f"{machine['processor']}, {machine['cores']} cores, {machine['filesystem']}; "
        f"median of {document.repetitions}; {document.taken_at[:10]}",
        fontsize=9,
    )
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
