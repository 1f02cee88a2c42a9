"""Data directories that earlier versions wrote: all that is in them is read back, for ever."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tapemq.testing import Broker
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.verify import verify
from tests.support.golden_directory.contents import GOLDEN, SETTINGS, contents_of, files_of
from tests.support.golden_directory.writing import TORN, write_clean, write_crashed
from tests.support.proof.evidence import Evidence

BOTH = pytest.mark.parametrize("name", ["clean", "crashed"])


@pytest.fixture
def data(tmp_path: Path, name: str) -> Path:
    """A copy, because a broker writes to what it opens."""
    return Path(shutil.copytree(GOLDEN / name, tmp_path / "data"))


def written(name: str) -> dict[str, object]:
    contents: dict[str, object] = json.loads((GOLDEN / f"{name}.json").read_text())
    return contents


@BOTH
async def test_everything_is_read_back(data: Path, name: str, evidence: Evidence) -> None:
    async with Broker(data, **SETTINGS) as broker, await broker.connect() as client:
        found = await contents_of(client)
        evidence.note("P24", cycles=1, unit="directory of format 1", files=len(files_of(data)))
        assert json.loads(json.dumps(found)) == written(name)
        assert (await client.publish("orders", b"it goes on", partition=0)).offset > 50
    async with Broker(data) as broker, await broker.connect() as client:
        again = await contents_of(client)
        assert again["packed"] == found["packed"]


@BOTH
async def test_a_queue_goes_on_where_it_was(data: Path, name: str) -> None:
    async with Broker(data, **SETTINGS) as broker, await broker.connect() as client:
        before = await client.describe_queue("orders", "billing")
        attempts: Counter[int] = Counter()
        async with client.queue("orders", group="billing") as queue:
            for _ in range(before.ready):
                message = await anext(aiter(queue))
                attempts[message.attempt] += 1
                await message.ack(confirm=True)
        assert (await client.explain("orders", "billing")).state != "delivering"
    assert attempts[1] > 40
    assert attempts[2] > 3


@BOTH
def test_every_byte_verifies(data: Path, name: str) -> None:
    before = files_of(data)
    disk = OsDisk(str(data))
    problems = list(verify(DataDirectory.open_offline(disk, for_writing=False)))
    disk.close()
    harmful = [problem for problem in problems if not problem.is_harmless]
    assert harmful == []
    assert len(problems) == (1 if name == "crashed" else 0)  # the torn tail
    assert {path: files_of(data)[path] for path in before} == before


@pytest.mark.parametrize("name", ["crashed"])
async def test_the_torn_tail_is_cut_and_kept(data: Path, name: str) -> None:
    async with Broker(data, **SETTINGS):
        pass
    torn = [data for path, data in files_of(data).items() if ".torn-" in path]
    assert torn == [TORN]


async def test_this_version_writes_what_it_reads(tmp_path: Path) -> None:
    """The script that made the directories still runs, and comes to the same."""
    for name, write in (("clean", write_clean), ("crashed", write_crashed)):
        assert outline(await write(tmp_path / "data")) == outline(written(name))


def outline(contents: dict[str, object]) -> dict[str, object]:
    """What is the same each time: not the times, nor what depends on them."""
    return {
        topic: [(name, len(part)) for name, part in sorted(of.items()) if hasattr(part, "__len__")]
        for topic, of in contents.items()
        if isinstance(of, dict)
    }
