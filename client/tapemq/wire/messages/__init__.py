"""Every message of the protocol: opcode, fields, types, units.

A message is a NamedTuple; its fields are the keys of the msgpack map in the frame's header, and a
field that has its default may be left out. Payloads, where a message has one, are named in its
docstring. Requests carry a correlation id, responses repeat it; pushes carry 0. ``deadline_ms``
of a request counts from its arrival; 0 means none.
"""

from typing import Any, Final

from tapemq.wire.fields import Shape
from tapemq.wire.messages.groups import (
    AlterGroup,
    DeleteGroup,
    DescribeGroup,
    Group,
    ListGroups,
)
from tapemq.wire.messages.handshake import (
    Authenticate,
    Bye,
    Challenge,
    Done,
    Failure,
    Flow,
    Hello,
    Ping,
    Pong,
    Welcome,
)
from tapemq.wire.messages.publishing import (
    OpenProducer,
    Producer,
    Publish,
    Receipt,
)
from tapemq.wire.messages.streams import (
    Assigned,
    Commit,
    Credit,
    Deliver,
    Detached,
    Release,
    Revoke,
    Seek,
    Subscribe,
    Unsubscribe,
)
from tapemq.wire.messages.topics import (
    AlterTopic,
    BrokerStatus,
    CreateTopic,
    DeleteTopic,
    DescribePartition,
    DescribeTopic,
    ListTopics,
    Names,
    Partition,
    Status,
    Topic,
)

__all__ = [
    "OPCODES",
    "OPCODE_OF",
    "SHAPES",
    "WITH_PAYLOAD",
    "AlterGroup",
    "AlterTopic",
    "Assigned",
    "Authenticate",
    "BrokerStatus",
    "Bye",
    "Challenge",
    "Commit",
    "CreateTopic",
    "Credit",
    "DeleteGroup",
    "DeleteTopic",
    "Deliver",
    "DescribeGroup",
    "DescribePartition",
    "DescribeTopic",
    "Detached",
    "Done",
    "Failure",
    "Flow",
    "Group",
    "Hello",
    "ListGroups",
    "ListTopics",
    "Message",
    "Names",
    "OpenProducer",
    "Partition",
    "Ping",
    "Pong",
    "Producer",
    "Publish",
    "Receipt",
    "Release",
    "Revoke",
    "Seek",
    "Status",
    "Subscribe",
    "Topic",
    "Unsubscribe",
    "Welcome",
]

Message = Any
"""Any of the classes above. (A union of forty would say no more.)"""

OPCODES: Final[dict[int, type[Any]]] = {
    0x01: Hello,
    0x02: Challenge,
    0x03: Authenticate,
    0x04: Welcome,
    0x05: Ping,
    0x06: Pong,
    0x07: Failure,
    0x08: Bye,
    0x09: Flow,
    0x0A: Done,
    0x10: CreateTopic,
    0x11: DescribeTopic,
    0x12: Topic,
    0x13: ListTopics,
    0x14: Names,
    0x15: AlterTopic,
    0x16: DeleteTopic,
    0x17: DescribePartition,
    0x18: Partition,
    0x19: BrokerStatus,
    0x1A: Status,
    0x20: OpenProducer,
    0x21: Producer,
    0x22: Publish,
    0x23: Receipt,
    0x30: Subscribe,
    0x31: Assigned,
    0x32: Revoke,
    0x33: Release,
    0x34: Deliver,
    0x35: Credit,
    0x36: Commit,
    0x37: Seek,
    0x38: Unsubscribe,
    0x39: Detached,
    0x40: ListGroups,
    0x41: DescribeGroup,
    0x42: Group,
    0x43: AlterGroup,
    0x44: DeleteGroup,
}
"""Opcode to message. 0x50 to 0x7F are reserved for queues (leases, settlements, schedules)."""

SHAPES: Final = {opcode: Shape(message) for opcode, message in OPCODES.items()}
OPCODE_OF: Final = {message: opcode for opcode, message in OPCODES.items()}

WITH_PAYLOAD: Final = frozenset({Publish, Deliver})
"""Messages that may have a payload; on any other one it is a protocol error."""
