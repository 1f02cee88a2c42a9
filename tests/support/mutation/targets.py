"""What is mutated, and by which tests it must be noticed: the fast ones of the module itself."""

from typing import Final, NamedTuple


class Target(NamedTuple):
    """A module by its path, and the tests to run, the likeliest to notice first."""

    path: str
    tests: tuple[str, ...]
    runs_at_import: bool = False
    """Whether its functions make tables when it is imported."""

    @property
    def module(self) -> str:
        """The name by which it is imported."""
        return self.path.partition("/")[2].removesuffix(".py").replace("/", ".")


def _batch(name: str, *more: str) -> Target:
    tests = (f"tests/client/batch/test_{name}.py", *more)
    return Target(f"client/tapemq/batch/{name}.py", tests)


def _storage(name: str, *more: str) -> Target:
    own = f"tests/broker/storage/test_{name}.py"
    return Target(f"broker/tapemq_broker/storage/{name}.py", (own, *more))


def _queue(name: str, *more: str) -> Target:
    folder = "tests/broker/core/queue"
    tests = (f"{folder}/test_{name}.py", *(f"{folder}/test_{other}.py" for other in more))
    return Target(f"broker/tapemq_broker/core/queue/{name}.py", tests)


def _publishing(name: str, *more: str) -> Target:
    return _mirrored("client", f"publishing/{name}", *(f"publishing/{one}" for one in more))


def _streams(name: str, *more: str) -> Target:
    return _mirrored("client", f"streams/{name}", *(f"streams/{one}" for one in more))


def _core(name: str, *more: str) -> Target:
    return _mirrored("broker", f"core/{name}", *(f"core/{one}" for one in more))


def _server(name: str, *more: str) -> Target:
    return _mirrored("broker", f"server/{name}", *(f"server/{one}" for one in more))


def _schedules(name: str, *more: str) -> Target:
    paths = (f"storage/schedules/{one}" for one in more)
    return _mirrored("broker", f"storage/schedules/{name}", *paths)


def _mirrored(side: str, name: str, *more: str) -> Target:
    """A module with the tests that mirror it and others of its side, named by their paths."""
    package = "tapemq" if side == "client" else "tapemq_broker"
    paths = (one.rpartition("/") for one in (name, *more))
    tests = tuple(f"tests/{side}/{folder}/test_{file}.py" for folder, _, file in paths)
    return Target(f"{side}/{package}/{name}.py", tests)


_RECOVERY: Final = "tests/broker/storage/test_recovery.py"
_FAILED_SYNCS: Final = "tests/broker/storage/test_failed_syncs.py"
_DAMAGE: Final = "tests/faults/test_file_damage.py"
_CUT_BACK: Final = "tests/broker/storage/test_cut_back.py"
_OPENING: Final = "tests/broker/storage/test_opening.py"
_SIDE_FILES: Final = "tests/broker/storage/test_side_files.py"
_SEALING: Final = "tests/broker/storage/test_sealing.py"
_CLEAN_STOPS: Final = "tests/broker/storage/test_clean_stops.py"
_RECORD_LOG: Final = "tests/broker/storage/test_record_log.py"
_READING: Final = "tests/broker/storage/test_reading.py"
_REPAIR: Final = "tests/broker/storage/test_repair.py"

TARGETS: Final = (
    _batch("header"),
    _batch("body"),
    _batch("columns", "tests/client/batch/test_body.py"),
    _batch("lengths", "tests/client/batch/test_body.py"),
    _batch("cut"),
    _storage("decision")._replace(runs_at_import=True),
    _storage("chain", _RECOVERY, _REPAIR),
    _storage("scan", _RECOVERY, _DAMAGE),
    _storage("evidence", _RECOVERY, _DAMAGE),
    _storage("survey", _RECOVERY, _DAMAGE),
    _storage("diagnosis", _RECOVERY, _DAMAGE),
    _storage("recovery", _FAILED_SYNCS, _CUT_BACK, _OPENING),
    _storage("replay", _SIDE_FILES, _OPENING, _RECOVERY),
    _storage("opening", _SIDE_FILES, _RECOVERY, _FAILED_SYNCS),
    _storage("side_files", _SEALING, _OPENING),
    _storage("log", _CLEAN_STOPS, _RECORD_LOG, _SIDE_FILES, _SEALING, _READING),
    _storage("reading", _RECORD_LOG, _REPAIR),
    _storage("clean", _OPENING),
    _storage("segment", "tests/broker/storage/test_log.py", _CUT_BACK),
    _storage("snapshot", "tests/broker/storage/test_state_log.py", _OPENING),
    _storage("torn", _RECOVERY),
    _storage("unproven", _FAILED_SYNCS, _RECOVERY),
    _storage("rewriting", _FAILED_SYNCS, _RECOVERY),
    _storage("appending", "tests/broker/storage/test_log.py", _RECOVERY),
    _queue("lease", "queues", "settling"),
    _queue("leases", "queues", "departures"),
    _queue("ledger", "long_seeks", "dead_letters", "settling", "groups", "queues"),
    _queue("settled", "ledger"),
    _queue("settling", "queues", "groups", "lanes", "queue_model"),
    _queue("frontier", "queues", "settling", "groups", "dispatch", "retries", "turns"),
    _publishing("lane", "lane_places", "lane_failure", "lane_expiry", "router"),
    _publishing("open_batch", "lane", "outbox"),
    _publishing("router", "publisher", "outbox", "confirmed", "lane_failure", "producer_flush"),
    _streams("intake", "intake_losses", "stream_losses", "stream", "committer", "hand_out"),
    _streams("committer", "stream_losses", "stream"),
    _streams("assignment", "intake", "intake_losses", "committer"),
    _streams("hand_out", "intake"),
    _streams("credit", "intake"),
    _core("producers", "partition", "broker"),
    _core("partition", "broker", "topics"),
    _core("positions", "groups", "streams", "sharing", "broker"),
    _core("sharing", "streams", "groups", "broker"),
    _core("subscription", "streams", "broker"),
    _core("groups", "queue/groups", "streams", "broker"),
    _core("regaining", "streams", "broker"),
    _server("receipts", "engine"),
    _server("settlements", "engine"),
    _server("deliveries"),
    _server("disk_turns"),
    _server("unsent"),
    _server("outbound_memory"),
    _server("held_publishes", "handlers/held_deadlines"),
    _server("flow"),
    _storage("flusher"),
    _storage("sync_round", "tests/broker/storage/test_files.py"),
    _storage("remover"),
    _storage("retention"),
    _storage("boot_epoch"),
    _storage("running_checksum"),
    _schedules("columns", "sqlite_index_damage", "sqlite_index"),
    _schedules("inspection"),
    _schedules("sqlite_index", "sqlite_index_damage", "index", "inspection"),
)
