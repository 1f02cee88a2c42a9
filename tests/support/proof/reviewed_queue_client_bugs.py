"""Bugs of queues, workers and brokers of tests in the client that a review has found."""

from typing import Final

from tests.support.proof.bug import Bug

REVIEWED_QUEUE_CLIENT: Final = (
    Bug(
        "A plain handler of a worker that raised StopIteration kept its slot for ever: its "
        "message was renewed, and neither handled nor retried.",
        "a review",
        "tests/client/worker/test_handler.py::test_an_end_of_iteration_in_a_thread_is_raised",
    ),
    Bug(
        "A cancellation (without asyncio: Ctrl-C) while a queue unsubscribed left it listening: "
        "after the next loss of the connection it took leases that nobody handled, and renewed "
        "them.",
        "a review",
        "tests/client/queues/test_queue_end.py::"
        "test_leaving_that_is_cancelled_leaves_no_consumer_behind",
    ),
    Bug(
        "A handler of a worker that ended a process it had forked, as a multiprocessing pool "
        "does, stopped the worker in its place, and waited for a child that ignored it.",
        "a review",
        "tests/client/worker/test_stopping.py::"
        "test_signals_for_a_child_that_a_handler_has_forked_are_for_the_child",
    ),
    Bug(
        "With several processes, a worker whose processes were all signalled at once, as service "
        "managers do, took the first process's signal for a second one: handlers were cut off, "
        "and their messages counted a crash.",
        "a review",
        "tests/client/worker/test_stopping.py::"
        "test_only_the_parent_ends_one_of_its_processes_at_once",
    ),
    Bug(
        "A process of a worker whose event loop a handler kept for ever stayed when the first "
        "process was killed, and kept its leases; nobody else got the messages.",
        "a review",
        "tests/client/worker/test_stopping.py::"
        "test_a_process_without_its_parent_ends_though_the_event_loop_is_kept",
    ),
    Bug(
        "When one process of a worker could not be started again for a moment (too many "
        "processes, too little memory), all the others were killed in the middle of their "
        "handlers, and the worker ended.",
        "a review",
        "tests/client/worker/test_supervisor.py::"
        "test_one_that_cannot_be_started_leaves_the_others_alone",
    ),
    Bug(
        "A handler that raised Retry or Reject with an exception as its reason ended run(), and "
        "its message stayed with the consumer, neither settled nor given back.",
        "a review",
        "tests/client/queues/test_outcome.py::test_a_reason_may_be_what_is_at_hand",
    ),
    Bug(
        "Of a lease that was lost (its time was over, or the group was sought elsewhere) only the"
        " part being handed out was dropped: the rest of its messages, behind a gap or beyond "
        "512, were still handled, beside whoever had them by then.",
        "a review",
        "tests/client/queues/test_intake.py::test_no_part_of_a_lost_lease_is_handed_out",
    ),
    Bug(
        "A worker's handler that raised what is no Exception, as some libraries do when something"
        " takes too long, ended the worker; nothing was counted, so its message ended each one "
        "after it, too.",
        "a review",
        "tests/client/worker/test_station.py::test_failures_end_as_the_rules_say",
    ),
    Bug(
        "A handler that cancelled its own task ended one of the tasks of run() in silence: its "
        "message came again at once, uncounted, until none was left; run() returned as if it had "
        "been stopped, and a worker ended with code 0.",
        "a review",
        "tests/client/queues/test_queue_end.py::test_a_handler_that_cancels_itself_has_failed",
    ),
    Bug(
        "A worker whose queue ended (its topic was deleted) while a plain handler was stuck in "
        "its thread never ended: nobody worked, and nobody started it anew.",
        "a review",
        "tests/client/worker/test_runner.py::"
        "test_threads_of_a_queue_that_has_ended_are_waited_for_and_not_for_ever",
    ),
    Bug(
        "With a list of exception classes where a tuple is wanted (`reject_on=[KeyError]`), the "
        "first handler that failed ended run() after 10 s, and its message was settled by nobody: "
        "it came again, uncounted, for ever. A worker retried what was to be dead at once.",
        "a review",
        "tests/client/queues/test_process.py::"
        "test_what_is_no_exception_class_is_refused_before_the_block",
    ),
    Bug(
        "A plain function as the handler of run() with asyncio counted as failed when it had been "
        "done: its work was done up to ten times, and then the message was dead.",
        "a review",
        "tests/client/queues/test_queue.py::"
        "test_a_handler_that_is_no_coroutine_is_done_when_it_returns",
    ),
    Bug(
        "A handler that cannot be called with what it gets, such as one that takes the message "
        "alone though it was given a `decode`, was taken: each message failed until it was dead.",
        "a review",
        "tests/client/worker/test_app.py::test_a_function_takes_what_it_is_called_with",
    ),
    Bug(
        "A coroutine that a handler with asyncio (of run() or of a worker) returned instead of "
        "awaiting it never ran, and its message was acked.",
        "a review",
        "tests/client/queues/test_queue_end.py::test_what_a_handler_has_not_awaited_is_not_acked",
    ),
    Bug(
        "When a process of a worker was started again and there was room for it, but for no "
        "thread that waits for it, all the others were still stopped, and the worker ended with "
        "a traceback.",
        "a review",
        "tests/client/worker/test_supervisor.py::"
        "test_one_that_cannot_be_started_leaves_the_others_alone",
    ),
    Bug(
        "A handler that cancelled its own task and then raised something else still ended one of "
        "the tasks of run() in silence, until none was left and run() returned as if it had been "
        "stopped.",
        "a review",
        "tests/client/queues/test_queue_end.py::test_a_handler_that_cancels_itself_has_failed",
    ),
    Bug(
        "A worker that had stopped, and whose process waited for a child that a handler had "
        "forked, was ended with code 1 when its patience was over: the child held open what its "
        "thread waits for.",
        "a review",
        "tests/client/worker/test_stopping.py::"
        "test_a_child_that_stays_does_not_have_its_parent_ended_when_all_is_over",
    ),
    Bug(
        "Cancelling `queue.run()` while a handler caught that (or, up to Python 3.11, waited with "
        "`asyncio.wait_for()` for what came just then) did not end it: it went on taking messages.",
        "a review",
        "tests/client/queues/test_queue_end.py::"
        "test_cancelled_run_ends_though_its_handlers_keep_that_to_themselves",
    ),
    Bug(
        "What a consumer settled was dropped where an overloaded broker refused it, as if that "
        "was stopping: though it was acked, it came again when its lease ran out, with a crash "
        "counted, and `ack(confirm=True)` called the lease lost.",
        "a review",
        "tests/client/queues/test_desk.py::"
        "test_an_overloaded_broker_is_told_again_of_what_was_settled",
    ),
    Bug(
        "A client that was closed, and called once more while a frame had a message in hand, was "
        "never freed, nor what its queues had buffered: messages had become invisible to the "
        "collector of garbage, and the error led back to them.",
        "a review",
        "tests/client/queues/test_leased_record.py::test_a_ring_through_a_message_is_collected",
    ),
    Bug(
        "In a test, moving the clock while a crash was to come before the next sync waited for "
        "ever, or raised an error of a thread pool: what came due was waited for at the broker "
        "that had died.",
        "a review",
        "tests/client/testing/test_clock.py::"
        "test_time_goes_on_when_the_broker_crashes_at_what_comes_due",
    ),
    Bug(
        "In a test, a restart or a crash waited for ever while another crash was to come before "
        "the next sync: its own syncs were taken for that.",
        "a review",
        "tests/client/testing/test_broker.py::test_a_stop_is_where_a_crash_may_come",
    ),
    Bug(
        "A broker of a test that was left and entered again had its data, and no port: clients "
        "could not connect.",
        "a review",
        "tests/client/testing/test_broker.py::test_it_can_be_entered_again",
    ),
    Bug(
        "Dead records chosen by a key were those that could be read in 10 s together (without "
        "asyncio), or before the broker was gone for 10 s: redrive() and discard() left the others "
        "out without a word.",
        "a review",
        "tests/client/sync/test_dead_keys.py::"
        "test_what_was_not_read_because_the_broker_went_is_no_answer",
    ),
    Bug(
        "A handler that was a generator, or without asyncio a coroutine function, was called, "
        "never ran, and its message was acked.",
        "a review",
        "tests/client/sync/test_queue.py::test_what_a_handler_has_not_run_is_not_acked",
    ),
    Bug(
        "Without asyncio, a signal handler that called stop() while its thread was just taking a "
        "message left the queue waiting for ever, or made it raise RuntimeError.",
        "a review",
        "tests/client/sync/test_queue_end.py::"
        "test_a_signal_handler_may_stop_it_whatever_is_being_done",
    ),
    Bug(
        "A `Backoff` with an infinite factor raised OverflowError, partitions that are no "
        "numbers ZeroDivisionError, and a delay, an interval or a time to live that is too "
        "long was called negative.",
        "a review",
        "tests/client/queues/test_settings.py::test_a_factor_that_cannot_be_sent_is_named",
    ),
    Bug(
        "Handing a message to a pool of processes failed with `cannot pickle "
        "'_contextvars.Context' object`, which says neither what is wrong nor what to do.",
        "a review",
        "tests/client/queues/test_leased_record.py::test_it_says_that_it_stays_in_its_process",
    ),
    Bug(
        "Without asyncio, each queue, stream or producer that was left was kept until its timers "
        "would have been due: with `connect(timeout=inf)`, for as long as the process lived.",
        "a review",
        "tests/client/sync/test_shared.py::"
        "test_timers_that_were_cancelled_are_not_kept_until_they_are_due",
    ),
    Bug(
        "Without asyncio, a call that an overloaded broker had refused was made once more when its "
        "time was over, and not waited for: it was done, perhaps, after it had failed.",
        "a review",
        "tests/client/sync/test_link.py::test_what_an_overloaded_broker_has_refused_is_not_sent_"
        "again_when_the_time_is_over",
    ),
    Bug(
        "A queue whose iteration raised CorruptBatch held the messages behind the damage, and "
        "renewed their leases, for as long as it was not left.",
        "a review",
        "tests/client/queues/test_queue_end.py::test_damaged_data_is_given_back",
    ),
)
