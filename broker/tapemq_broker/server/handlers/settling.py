"""Large settlements, some at a time."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from tapemq_broker.core.effects import Effects, Reply, ReplyWhenDurable, Request
from tapemq_broker.core.queue.queues import Token
from tapemq_broker.core.queue.verb import Verb
from tapemq_broker.core.results import Settled
from tapemq_broker.server.engine import Engine

AT_ONCE: Final = 1000
"""What is settled in one turn of the loop, at 5 µs each: entries, and records that have failed."""

Settle = Callable[[Sequence[Token]], Effects]
"""Settles some; the answer among its effects is for these alone."""


class Settling:
    """Carries a settlement out, in several turns of the loop if it is large, with one answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    def start(self, request: Request, verb: Verb, tokens: Sequence[Token], settle: Settle) -> None:
        """Begin; a small one is done when this returns."""
        parts = list(_parts(tokens, by_record=verb in (Verb.NACK, Verb.REJECT)))
        if len(parts) <= 1:
            self._engine.execute(request, lambda: settle(tokens))
        else:
            self._engine.spawn(self._go_on(request, parts, settle))

    async def _go_on(self, request: Request, parts: list[list[Token]], settle: Settle) -> None:
        answer: Reply | ReplyWhenDurable = Reply(request, Settled([]))
        lost: list[Token] = []
        for part in parts:
            effects = self._engine.core.refusing(request, partial(settle, part))
            own = _answer(effects, request)
            if not isinstance(own.result, Settled):
                self._engine.run(effects)  # the subscription is gone
                return
            # The last wait is the longest: syncs go round by round.
            answer = own if isinstance(own, ReplyWhenDurable) else answer
            lost += own.result.lost
            self._engine.run([effect for effect in effects if effect is not own])
            await asyncio.sleep(0)
        done: Effects = [answer._replace(result=Settled(lost))]
        self._engine.run(done)


def _answer(effects: Effects, request: Request) -> Reply | ReplyWhenDurable:
    for effect in effects:
        if isinstance(effect, Reply | ReplyWhenDurable) and effect.request == request:
            return effect
    raise RuntimeError(f"{request} is not answered")


def _parts(tokens: Sequence[Token], *, by_record: bool) -> Iterator[list[Token]]:
    """Cut tokens into parts of about AT_ONCE entries, or records.

    No token is cut: a lease has no more records than that, whatever a token says.
    """
    part: list[Token] = []
    weight = 0
    for token in tokens:
        part.append(token)
        weight += min(token[2], AT_ONCE) if by_record else 1
        if weight >= AT_ONCE:
            yield part
            part, weight = [], 0
    if part:
        yield part
