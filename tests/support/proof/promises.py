"""What is promised, each so that a test can break it."""

from typing import Final

PROMISES: Final = {
    "P1": "Durable ack: a publish acknowledged as durable is read back, byte for byte, at its "
    "offset, after any number of kills and power cuts.",
    "P2": "Written ack: it survives the death of the process; after a power cut a suffix may be "
    "gone, never a part in the middle.",
    "P3": "No lie on error: when an append or a sync fails, nobody who waits for it is "
    "acknowledged, nor anybody after it until a restart.",
    "P4": "Indeterminate is named: a publish without an answer is called neither stored nor "
    "failed.",
    "P5": "One order: everybody sees the same record at the same offset, in rising order.",
    "P6": "Producer order: the records of a producer are in the order of its calls, across "
    "retries and reconnects.",
    "P7": "Offsets are never reused: one that somebody has received never gets another value.",
    "P8": "No phantom: only what is durable is delivered, and what was delivered does not vanish.",
    "P9": "No loss in delivery: every visible record is delivered to each group until it is "
    "settled, expired by a stated rule, or skipped by a seek.",
    "P10": "Redelivery: what was not settled comes again, and its attempts are counted, across "
    "restarts.",
    "P11": "A confirmed ack is final: the group never gets the record again, crash or not.",
    "P12": "Committed positions: they only go forward, but for a seek; who lost a partition cannot "
    "commit on it.",
    "P13": "Exclusive lease: one live holder of a record; an ack on a lost lease is refused.",
    "P14": "Idempotent publish: a retry within the window gets the first offset, after a crash, "
    "too; outside it the answer is an error.",
    "P15": "Atomic batch: the records of a batch are all visible or none.",
    "P16": "Transactions: nobody reads what was aborted or is open.",
    "P17": "Corruption is never served: a bad read is an error that names the place.",
    "P18": "No silent truncation: only what was never acknowledged is cut, kept aside and "
    "counted; anything else refuses to open.",
    "P19": "Disk full: publishing is refused with a reason, reading and acking go on, nothing "
    "acknowledged is lost, and service resumes by itself.",
    "P20": "Bounded memory: whatever clients do; the offender is slowed or cut.",
    "P21": "Retention: nothing goes before its stated age or size; neither a producer's time nor "
    "a jump of the clock deletes.",
    "P22": "Delayed records: never before their time, once, across restarts.",
    "P23": "Clean stop: what is under way is finished or refused, and the next start scans "
    "nothing.",
    "P24": "Old files: they open; newer ones are refused untouched.",
    "P25": "Strangers: before a session is open only a handshake is taken, and little memory.",
}
