"""A crowd and one beside it, for a moment, through a real broker."""

from pathlib import Path

from benchmarks.crowd import CROWDS, LITTLE_PER_S, ROUNDS, Crowd, measure, publish_little
from tapemq import connect
from tests.support.running_server import running_server
from tests.support.spans import growing_spans_s


def test_one_run_measures_both_sides(tmp_path: Path) -> None:
    for span_s in growing_spans_s(0.2):
        directory = tmp_path / str(span_s)
        directory.mkdir()
        seen = measure(directory, Crowd(2, 1_000, 1_024), ROUNDS["4 MiB"], span_s)
        if seen.crowd_mb_per_s:
            break
    assert 0 < seen.p50_ms <= seen.p99_ms
    assert seen.crowd_mb_per_s > 0


async def test_each_small_record_is_read_once() -> None:
    async with running_server() as server:
        url = f"tapemq://127.0.0.1:{server.port}"
        async with await connect(url) as client:
            await client.create_topic("little")
        latencies_ns = await publish_little(url, 0.1)
        assert len(latencies_ns) == 0.1 * LITTLE_PER_S
        assert min(latencies_ns) > 0


def test_crowds_are_what_their_names_say() -> None:
    assert all(name.startswith(f"{crowd.producers} with ") for name, crowd in CROWDS.items())
