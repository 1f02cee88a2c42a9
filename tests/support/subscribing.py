"""A stream's subscriber on the fake broker."""

from tapemq.network.link import Link
from tapemq.streams.credit import Grant
from tapemq.streams.plan import StreamOptions
from tapemq.streams.start import WireStart
from tapemq.streams.subscriber import Subscriber
from tests.support.fake_broker import FakeBroker
from tests.support.sdk import link_to


def options(timeout_s: float = 30.0, group: str = "g") -> StreamOptions:
    return StreamOptions(
        topic="t",
        group=group,
        member="me",
        start=WireStart("earliest"),
        partitions=(),
        prefetch=Grant(100, 100_000),
        hold=False,
        commit_interval_s=None,
        timeout_s=timeout_s,
    )


async def subscriber_to(broker: FakeBroker) -> tuple[Link, Subscriber]:
    link = link_to(broker)
    await link.open(30.0)
    subscriber = Subscriber(link, options())
    await subscriber.open()
    return link, subscriber
