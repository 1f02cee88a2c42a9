import asyncio
from contextlib import suppress
from random import Random

import pytest

from tests.support.simulation.loop import SimLoop
from tests.support.simulation.platter import Platter
from tests.support.survivors import SECTOR_BYTES

SEEDS = range(200)


@pytest.fixture
def loop() -> SimLoop:
    loop = SimLoop(Random(0))
    loop.close()
    return loop


def written(platter: Platter, name: str, *pieces: bytes) -> None:
    file = platter.open(name, create=True)
    platter.sync_now(file)
    for piece in pieces:
        file.append([piece])


def test_synced_bytes_survive(loop: SimLoop) -> None:
    for seed in SEEDS:
        platter = Platter(loop, Random(seed))
        file = platter.open("a", create=True)
        file.append([b"x" * 1000])
        platter.sync_now(file)
        file.append([b"y" * 3000])
        platter.power_cut()
        found = platter.read_file("a")
        assert found is not None
        assert found[:1000] == b"x" * 1000


def test_unsynced_sectors_survive_in_every_way(loop: SimLoop) -> None:
    data = b"".join(bytes([65 + number]) * SECTOR_BYTES for number in range(3))
    found = set()
    for seed in SEEDS:
        platter = Platter(loop, Random(seed))
        written(platter, "a", data)
        platter.power_cut()
        sectors = platter.read_file("a") or b""
        letters = sectors[::SECTOR_BYTES].replace(b"\0", b".").decode()
        assert sectors == b"".join(
            bytes([ord(letter) if letter != "." else 0]) * SECTOR_BYTES for letter in letters
        )
        found.add(letters)
    # Nothing, everything, a prefix, a zeroed tail, a hole, and the last one alone.
    assert {"", "ABC", "A", "AB", "A..", ".BC", "A.C", "..C", "..."} <= found


def test_sector_is_never_mixed(loop: SimLoop) -> None:
    found = set()
    for seed in SEEDS:
        platter = Platter(loop, Random(seed))
        written(platter, "a", b"1" * 100, b"2" * 100, b"3" * 100)
        platter.power_cut()
        found.add((platter.read_file("a") or b"")[::100].replace(b"\0", b"").decode())
    assert found == {"", "1", "12", "123"}


def test_cut_file_is_found_in_either_size(loop: SimLoop) -> None:
    sizes = set()
    for seed in SEEDS:
        platter = Platter(loop, Random(seed))
        file = platter.open("a", create=True)
        file.append([b"x" * 1000])
        platter.sync_now(file)
        file.truncate(10)
        platter.power_cut()
        sizes.add(platter.size_bytes("a"))
    assert sizes == {1000, 10}


def test_unsynced_names_survive_or_not(loop: SimLoop) -> None:
    found = set()
    for seed in SEEDS:
        platter = Platter(loop, Random(seed))
        for name in "abc":
            platter.open(name, create=True)
        platter.rename("c", "d")
        platter.power_cut()
        found.add("".join(platter.list_directory("")))
    assert {"", "a", "ab", "abc", "abd", "b", "ac"} <= found
    # A rename never survives without the file that it renames.
    assert not any("c" in names and "d" in names for names in found)


def test_sync_in_flight_covers_what_was_written_before_it(loop: SimLoop) -> None:
    live = SimLoop(Random(1))
    platter = Platter(live, Random(1))
    file = platter.open("a", create=True)
    file.append([b"covered"])
    reports: list[Exception | None] = []
    platter.sync_after(1.0, [file], reports.append)
    file.append([b", not covered"])
    assert not file.content.durable
    live.run_until_complete(asyncio.sleep(2))
    live.close()
    assert reports == [None]
    assert file.content.durable == b"covered"


def test_any_part_of_a_failed_sync_reaches_the_disk_and_any_part_of_the_rest_vanishes(
    loop: SimLoop,
) -> None:
    data = b"".join(bytes([65 + number]) * SECTOR_BYTES for number in range(3))
    durable, seen = set(), set()
    for seed in SEEDS:
        platter = Platter(loop, Random(seed))
        written(platter, "a", data)
        file = platter.open("a")
        with suppress(OSError):
            platter.fail_sync_now(file)
        durable.add(bytes(file.content.durable[::SECTOR_BYTES]))
        platter.evict()
        seen.add(file.read(0, len(data))[::SECTOR_BYTES])
    assert {b"", b"ABC", b"A", b"\0BC"} <= durable
    assert {b"ABC", b"A\0\0", b"\0BC", b"\0\0\0"} <= seen
