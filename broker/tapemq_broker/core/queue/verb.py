"""What may be said of a leased record."""

from enum import Enum


class Verb(Enum):
    """Done; failed, to be tried again; dead now; given back, which counts as nothing."""

    ACK = "ack"
    NACK = "nack"
    REJECT = "reject"
    RELEASE = "release"
