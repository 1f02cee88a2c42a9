"""What a start from a damaged copy is held against."""

import asyncio
from random import Random

import pytest

from tapemq.batch import Kind
from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.storage.memory_disk import MemoryDisk
from tests.support.disk_image import take_image
from tests.support.raw_client import RawClient
from tests.support.running_server import running_server
from tests.support.simulation.at_rest import Found, complaints, start
from tests.support.simulation.damage import DAMAGES, Damaged, batches_in

NOW_US = 1_800_000_000_000_000


@pytest.fixture
async def image() -> dict[str, bytes]:
    """A disk with a topic of ten batches, as a crash left it."""
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        topic = await client.topic("t")
        for number in range(10):
            await client.publish(topic, b"value %d" % number)
    disk.remove("CLEAN")
    return take_image(disk)


def segment(image: dict[str, bytes]) -> str:
    """The path of the records."""
    return next(path for path in image if path.endswith("/0/00000000000000000000.log"))


def started(image: dict[str, bytes]) -> Found:
    return start(image, Settings(), NOW_US)


def test_undamaged_copy(image: dict[str, bytes]) -> None:
    truth = started(image)
    path = segment(image)
    assert len(truth.records[path.rpartition("/")[0]]) == 10
    assert truth.refused == {}
    assert list(complaints(truth, Damaged("none", path, image), started(image))) == []


def test_loss_in_silence_is_noticed(image: dict[str, bytes]) -> None:
    truth, found, path = started(image), started(image), segment(image)
    del found.records[path.rpartition("/")[0]][3]
    (complaint,) = complaints(truth, Damaged("none", path, image), found)
    assert "has lost offset 3 in silence" in complaint


def test_wrong_bytes_are_noticed(image: dict[str, bytes]) -> None:
    truth, found, path = started(image), started(image), segment(image)
    records = found.records[path.rpartition("/")[0]]
    records[3] = records[4]
    (complaint,) = complaints(truth, Damaged("none", path, image), found)
    assert "value 4" in complaint
    assert "not Read(value=b'value 3'" in complaint


def test_refusals_need_a_reason(image: dict[str, bytes]) -> None:
    truth, found, path = started(image), started(image), segment(image)
    found.refused[path] = "ROT"
    found.records.pop(path.rpartition("/")[0])
    assert list(complaints(truth, Damaged("flip_at_rest", path, image), found)) == []
    (complaint,) = complaints(truth, Damaged("flip_at_rest", "topics/other/x.log", image), found)
    assert "refused without a reason" in complaint
    found.refused.clear()
    (complaint,) = complaints(truth, Damaged("flip_at_rest", path, image), found)
    assert "neither open nor refused" in complaint


async def test_a_deleted_topic_may_be_missed_only_where_the_catalog_is_damaged() -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        await client.topic("t")
        listed = take_image(disk)
        await client.ask(m.DeleteTopic(topic="t"), m.Done)
        image = take_image(disk)
    image = {path: data for path, data in image.items() if not path.startswith("topics/")}
    catalog = next(path for path in image if path.startswith("catalog/"))
    older = image | {catalog: listed[catalog]}
    truth, found = started(image), started(older)
    assert set(found.refused.values()) == {"MISSING_LOG"}
    assert list(complaints(truth, Damaged("shorten", catalog, older), found)) == []
    assert list(complaints(truth, Damaged("shorten", "elsewhere/0.log", older), found)) != []


@pytest.mark.parametrize("is_proven", [False, True])
async def test_an_added_partition_may_be_forgotten_until_it_is_proven(is_proven: bool) -> None:
    disk = MemoryDisk(post=asyncio.get_running_loop().call_soon)
    async with running_server(disk) as server:
        client = await RawClient.connect(server.port)
        await client.topic("t")
        await client.ask(m.AlterTopic("t", 2), m.Topic)
    disk.remove("CLEAN")
    image = take_image(disk)
    truth, found = started(image), started(image)
    for directory in [path for path in found.records if "/t~" in path and "/1" in path]:
        del found.records[directory]
    catalog = next(path for path in image if path.startswith("catalog/") and ".log" in path)
    batches = list(batches_in(image[catalog]))
    last = max(at for at, header, _ in batches if header.kind is Kind.CATALOG)
    left = image if is_proven else {**image, catalog: image[catalog][:last]}
    expected = [f"/1{kind} is neither open nor refused" for kind in ("", ".groups")] * is_proven
    told = sorted(complaints(truth, Damaged("shorten", catalog, left), found))
    assert [text[text.rindex("/1") :] for text in told] == expected


def test_damages_are_found(image: dict[str, bytes]) -> None:
    """Each kind, many times; something is refused by most rows that refuse."""
    truth, rows = started(image), set[str]()
    for number in range(200):
        damage = DAMAGES[number % len(DAMAGES)]
        damaged = damage(Random(number), image)
        if damaged is not None:
            found = start(damaged.image, Settings(), NOW_US, damaged.unreadable)
            assert list(complaints(truth, damaged, found)) == []
            rows |= {*found.rows}
    assert rows >= {"ROT", "MISDIRECTED", "MISSING_LOG", "NEWER_FORMAT", "UNREADABLE"}
