import asyncio
import errno
import os
import threading

import pytest

import tapemq
from tapemq.batch import Columns, checksum, encode_body
from tapemq.wire import messages as m
from tapemq_broker.config import Settings
from tapemq_broker.core.schedules import book
from tapemq_broker.core.schedules.schedule import SCHEDULER_ID
from tapemq_broker.server.schedules import service
from tapemq_broker.storage.disk import File
from tapemq_broker.storage.errors import SyncFailed
from tapemq_broker.storage.schedules.index import IndexDamaged
from tests.support.disk_image import take_image
from tests.support.raw_client import RawClient, Refused
from tests.support.scheduled_broker import KeptIndex, scheduled_broker


async def test_a_topic_has_a_schedule_log_with_its_first_schedule() -> None:
    async with scheduled_broker() as broker:
        await broker.client.publish("t", b"now")
        assert broker.schedules.shelf.volumes == {}
        await asyncio.gather(*(broker.later(b"a", 60) for _ in range(10)))
        assert len(broker.schedules.shelf.volumes) == 1
        assert await broker.pending() == 10
        (folder,) = broker.disk.list_directory("topics/default")
        assert "0.schedule/" in broker.disk.list_directory(f"topics/default/{folder[:-1]}")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
async def test_a_failed_sync_while_a_schedule_log_is_made_ends_the_broker(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whatever its error: a full disk may be tried again, a sync may not."""
    async with scheduled_broker() as broker:
        await broker.client.publish("t", b"now")
        ended: list[str] = []
        engine = broker.server._engine
        engine.world = engine.world._replace(fatal=ended.append)

        def fail(path: str) -> None:
            raise SyncFailed(number, os.strerror(number), path)

        monkeypatch.setattr(broker.disk, "make_directory", fail)
        client = await RawClient.connect(broker.server.port)
        topic = await client.ask(m.DescribeTopic("t"), m.Topic)
        body = encode_body(Columns([b"x"]))
        with pytest.raises(Refused):
            await client.ask(m.Schedule(topic.topic_id, 0, 0), m.Scheduled, body)
        assert [reason.partition(":")[0] for reason in ended] == [
            "the schedule log of t cannot be made"
        ]
        RawClient.close_all()


@pytest.mark.parametrize(
    ("number", "name"), [(errno.EMFILE, "overloaded"), (errno.ENOSPC, "disk_full")]
)
async def test_what_a_schedule_log_cannot_be_made_for_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int, name: str
) -> None:
    async with scheduled_broker() as broker:
        await broker.client.publish("t", b"now")
        open_file = broker.disk.open

        def fail(path: str, *, create: bool = False) -> File:
            if create and "schedule" in path:
                raise OSError(number, os.strerror(number), path)
            return open_file(path, create=create)

        client = await RawClient.connect(broker.server.port)
        topic = await client.ask(m.DescribeTopic("t"), m.Topic)
        body = encode_body(Columns([b"x"]))
        wish = m.Schedule(topic.topic_id, 0, checksum(body), delay_ms=1000)
        with monkeypatch.context() as patched:
            patched.setattr(broker.disk, "open", fail)
            with pytest.raises(Refused) as refused:
                await client.ask(wish, m.Scheduled, body)
        assert refused.value.name == name
        assert "a schedule log cannot be made: " in caplog.text
        await client.ask(wish, m.Scheduled, body)
        RawClient.close_all()


async def test_schedules_that_the_catalog_forgot_fire(caplog: pytest.LogCaptureFixture) -> None:
    """It was repaired, or is an older copy: what was confirmed is not dropped in silence."""
    async with scheduled_broker() as broker:
        await broker.client.create_topic("t")
        await broker.stop()
        before = take_image(broker.disk, "catalog")
        await broker.start()
        await broker.later(b"x", 60)
        await broker.stop()
        for name in ("CLEAN", *take_image(broker.disk, "catalog")):
            broker.disk.remove(name)
        for path, data in before.items():
            broker.disk.replace_file(path, data)
        await broker.start()
        assert await broker.pending() == 1
        assert caplog.text.count("the catalog did not know") == 1
        await broker.restart(later_s=60)
        assert await broker.values(1) == [b"x"]
        assert caplog.text.count("the catalog did not know") == 1


async def test_a_deleted_topic_takes_its_schedules_along() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"old", 60)
        await broker.client.delete_topic("t")
        await broker.later(b"new", 60)
        assert await broker.pending() == 1
        await broker.restart(later_s=60)
        assert await broker.values(1) == [b"new"]
        assert len(broker.index.topics()) == 1


async def test_a_topic_may_be_deleted_while_its_schedule_log_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its files would be gone where one is to be made, or come back behind its deletion."""
    async with scheduled_broker() as broker:
        await broker.client.create_topic("t")
        begun, going_on, make = threading.Event(), threading.Event(), broker.disk.make_directory

        def slowly(path: str) -> None:
            begun.set()
            going_on.wait(10)
            make(path)

        client, topics = await RawClient.connect(broker.server.port), "topics/default"
        topic = await client.ask(m.DescribeTopic("t"), m.Topic)
        monkeypatch.setattr(broker.disk, "make_directory", slowly)
        body = encode_body(Columns([b"x"]))
        sent = client.send(m.Schedule(topic.topic_id, 0, checksum(body), delay_ms=1), body)
        await asyncio.to_thread(begun.wait)
        deleting = asyncio.create_task(broker.client.delete_topic("t"))
        while await broker.client.topics():
            pass
        for _ in range(20):
            await broker.client.status()
        assert broker.disk.list_directory(topics)
        going_on.set()
        with pytest.raises(Refused) as refused:
            await client.answer(sent, m.Scheduled)
        assert refused.value.name == "stale_metadata"
        await deleting
        while broker.disk.list_directory(topics):
            await broker.client.status()
        RawClient.close_all()


async def test_what_the_index_says_of_strangers_is_forgotten() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        broker.index.apply(99, 5, [])
        await broker.restart()
        while 99 in broker.index.topics():
            await broker.client.status()
        assert await broker.pending() == 1


class _Looked(KeptIndex):
    """An index of which a look ends with an error of the disk once it is given up."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.given_up = threading.Event(), threading.Event()

    def inspection(self) -> "_Looked":  # type: ignore[override]
        return self

    def run(self) -> None:
        self.begun.set()
        self.given_up.wait()
        raise OSError(errno.EIO, "the disk fails")

    def give_up(self) -> None:
        self.given_up.set()


async def test_a_look_at_the_whole_index_holds_up_no_stop() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        index = broker.index = _Looked()
        await broker.restart()
        await asyncio.to_thread(index.begun.wait)
        await broker.stop()
        assert index.given_up.is_set()
        await broker.start()


async def test_a_look_at_the_whole_index_that_the_disk_fails_ends_nothing() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        index = broker.index = _Looked()
        index.give_up()
        await broker.restart()
        await asyncio.to_thread(index.begun.wait)
        await broker.later(b"b", 60)


async def test_a_look_at_the_whole_index_that_the_disk_fails_is_taken_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Index(_Looked):
        looks = 0

        def run(self) -> None:
            self.looks += 1
            if self.looks < 3:
                raise OSError(errno.EMFILE, "no more files")
            raise IndexDamaged("a page is wrong")

    monkeypatch.setattr(service, "_LOOK_AGAIN_S", 0.01)
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        index = broker.index = Index()
        await broker.restart()
        async with asyncio.timeout(60):
            while "a page is wrong" not in caplog.text:
                await broker.client.status()
        assert index.looks == 3


async def test_a_stop_does_not_wait_for_the_next_look_at_the_whole_index() -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        index = broker.index = _Looked()
        index.give_up()
        await broker.restart()
        await asyncio.to_thread(index.begun.wait)
        await broker.client.close()
        async with asyncio.timeout(30):  # of the 60 s that it has, and that are until that look
            await broker.server.stop(grace_s=60.0)
        await broker.start()


async def test_a_damaged_schedule_log_is_refused_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        await broker.client.publish("other", b"x", delay=60)
        await broker.stop()
        (folder,) = (f for f in broker.disk.list_directory("topics/default") if f.startswith("t~"))
        path = f"topics/default/{folder}0.schedule/{0:020}.log"
        data = bytearray(broker.disk.read_file(path) or b"")
        data[100] ^= 1
        broker.disk.replace_file(path, bytes(data))
        broker.index = KeptIndex()
        await broker.start()
        while not broker.schedules.shelf.pending:
            await broker.client.status()
        with pytest.raises(tapemq.StorageFailed):
            await broker.later(b"b", 60)
        await broker.client.publish("t", b"now")
        assert await broker.client.schedules("other").count() == 1
        assert "its schedules are refused" in caplog.text


async def test_the_repair_of_a_schedule_log_can_be_typed_anywhere(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        await broker.stop()
        (folder,) = broker.disk.list_directory("topics/default")
        broker.disk.remove(f"topics/default/{folder}0.schedule/{0:020}.log")
        await broker.start()
    assert f"tapemq repair {Settings().data_dir.absolute()}/topics/default/t~" in caplog.text


async def test_a_damaged_index_is_made_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with scheduled_broker() as broker:
        for number in range(5):
            await broker.later(b"%d" % number, 60, schedule_key=f"k{number}")
        await broker.pending()

        def damaged(*args: object) -> None:
            raise IndexDamaged("a page is wrong")

        monkeypatch.setattr(broker.index, "find_key", damaged)
        reset = broker.index.reset

        def mend() -> None:
            monkeypatch.undo()
            reset()

        monkeypatch.setattr(broker.index, "reset", mend)
        assert (await broker.client.schedules("t").get(key="k3")).schedule_id == 4
        assert "made anew from the logs: a page is wrong" in caplog.text
        assert await broker.pending() == 5
        broker.advance(60)
        assert await broker.values(5) == [b"%d" % number for number in range(5)]


async def test_topics_share_what_may_wait_for_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "BACKLOG_BYTES_MAX", 10_000)
    async with scheduled_broker() as broker:
        for name in ("t", "other"):
            await broker.client.publish(name, b"a", delay=60)
            assert await broker.client.schedules(name).count() == 1
        client, body = await RawClient.connect(broker.server.port), encode_body(Columns([b"x"]))
        other = await client.ask(m.DescribeTopic("other"), m.Topic)
        wish = m.Schedule(other.topic_id, 0, checksum(body), delay_ms=1000)
        backlog, turn = broker.schedules.shelf.backlog, broker.schedules.runner._turn
        assert backlog.size_bytes == 0
        await turn.acquire()
        try:
            await broker.later(bytes(20_000), 60)
            with pytest.raises(Refused, match="behind"):
                await client.ask(wish, m.Scheduled, body)
            await broker.client.delete_topic("t")
            while backlog.size_bytes:
                await broker.client.status()
            await client.ask(wish, m.Scheduled, body)
        finally:
            turn.release()
        assert await broker.client.schedules("other").count() == 2
        assert backlog.size_bytes == 0
        RawClient.close_all()


async def test_the_producer_id_of_the_scheduler_is_nobody_elses() -> None:
    async with scheduled_broker() as broker:
        client = await RawClient.connect(broker.server.port)
        topic = await client.topic("t")
        body = encode_body(Columns([b"x"]), producer_id=SCHEDULER_ID)
        with pytest.raises(Refused, match="the broker's own"):
            await client.ask(m.Publish(topic.topic_id, 0, checksum(body)), m.Receipt, body)
        RawClient.close_all()
