"""The client's calls for records that come later."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from tapemq._clock import Clock
from tapemq.admin import Admin
from tapemq.batch.extras import Scalar
from tapemq.network.link import Link
from tapemq.publishing.item import Item, Value, make_item
from tapemq.schedules.due import CatchUp, Duration
from tapemq.schedules.passage import scheduler_of
from tapemq.schedules.plan import Plan, recurring_plan
from tapemq.schedules.receipt import ScheduleReceipt
from tapemq.schedules.scheduler import Scheduler
from tapemq.schedules.schedules import Schedules
from tapemq.schedules.underway import Underway
from tapemq.timeouts import check_timeout
from tapemq.wire.names import check_name


class Scheduling(Admin):
    """A part of the client."""

    def __init__(self, link: Link, clock: Clock, timeout_s: float) -> None:
        super().__init__(link, timeout_s)
        self._clock = clock
        self._schedulers: dict[str, Scheduler] = {}
        self._underway = Underway()

    def schedules(self, topic: str) -> Schedules:
        """The pending schedules of a topic: get, cancel, list, count. Raises ValueError."""
        return Schedules(self._do, check_name("topic", topic))

    async def schedule(
        self,
        topic: str,
        value: Value,
        *,
        cron: str | None = None,
        every: Duration | None = None,
        time_zone: str = "UTC",
        catch_up: CatchUp = "last",
        start: datetime | None = None,
        key: bytes | str | None = None,
        headers: Mapping[str, Scalar] | None = None,
        partition: int | None = None,
        ttl: Duration | None = None,
        priority: int = 0,
        schedule_key: bytes | str | None = None,
        timeout: float | None = None,
    ) -> ScheduleReceipt:
        """Have a record appended to a topic again and again, by the broker.

        Args:
            topic, value, key, headers, partition, ttl, priority: of the record, as for publish().
            cron: minute, hour, day of month, month, day of week: ``"30 6 * * MON-FRI"``.
            every: or so many seconds (or a timedelta) after each other, at least one.
            time_zone: of ``cron``, such as "Europe/Berlin". A fixed time in the hour skipped in
                spring comes right behind it; in the hour repeated in autumn it comes once.
            catch_up: what is done about times that passed while the broker was down: "all" of
                them come, the "last" one, or "none".
            start: the first time; by default that of ``cron``, or one ``every`` from now.
            schedule_key: the caller's name; takes the place of what is pending under it.
            timeout: seconds; by default the client's.

        Raises:
            ValueError: neither ``cron`` nor ``every`` is given, or both, or it is empty or 0.
            RequestRefused: ``cron`` or ``time_zone`` is not understood. Others as publish().
        """
        plan = recurring_plan(
            cron=cron,
            every=every,
            time_zone=time_zone,
            catch_up=catch_up,
            start=start,
            schedule_key=schedule_key,
        )
        self._link.check()
        item = make_item(value, key, headers, self._link.limits, ttl, priority)
        return await self._schedule(topic, item, partition, plan, timeout)

    async def _schedule(
        self, topic: str, item: Item, partition: int | None, plan: Plan, timeout: float | None
    ) -> ScheduleReceipt:
        make = partial(Scheduler, self._link, self._clock)
        scheduler = scheduler_of(self._schedulers, topic, make)
        timeout_s = self._timeout_s if timeout is None else check_timeout("timeout", timeout)
        with self._underway.call():
            return await scheduler.schedule(item, partition, plan, timeout_s)
