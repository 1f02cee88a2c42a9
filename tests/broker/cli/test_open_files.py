import logging
import resource

import pytest

from tapemq_broker.cli import open_files
from tapemq_broker.cli.open_files import RESERVED
from tapemq_broker.config import Settings
from tapemq_broker.storage.segment_cache import FILES_MAX

ENOUGH = Settings().connections_max + FILES_MAX + RESERVED


@pytest.mark.parametrize("limit", [ENOUGH, None], ids=["enough", "unlimited"])
def test_where_there_are_enough_all_is_as_it_was_set(
    limit: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings()
    assert open_files.fitted(settings, limit) is settings
    assert open_files.segments_within(limit) == FILES_MAX
    assert caplog.records == []


def test_fewer_connections_are_taken_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        fitted = open_files.fitted(Settings(host="::1"), 4096)
    assert fitted == Settings(host="::1", connections_max=2048)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("no more than 2048 connections are taken, though connections_max is")
    assert "may open 4096 files" in said
    assert f"Let it open {ENOUGH} (ulimit -n" in said


def test_a_setting_that_fits_is_left_and_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(connections_max=100)
    assert open_files.fitted(settings, 1024) is settings
    assert caplog.records == []


@pytest.mark.parametrize("limit", [1, 400, 1024, 2048, 2800, 4096, 20_000])
def test_never_is_more_shared_out_than_there_is(limit: int) -> None:
    connections, segments = open_files.connections_within(limit), open_files.segments_within(limit)
    assert connections >= 1
    assert connections + segments <= limit
    assert limit - connections - segments >= min(limit // 2, RESERVED)


def test_all_that_the_system_allows_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    monkeypatch.setattr(resource, "getrlimit", lambda number: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda number, limits: taken.append(limits))
    assert open_files.take_all() == 4096
    assert taken == [(4096, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda number: (1024, resource.RLIM_INFINITY))
    assert open_files.take_all() is None
