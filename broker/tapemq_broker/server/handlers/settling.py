"""Large settlements, some at a time."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from tapemq_broker.core.effects import Effects, Reply, ReplyWhenDurable, Request
from tapemq_broker.core.queue.queues import Token
from tapemq_broker.core.results import Settled
from tapemq_broker.server.engine import Engine
from tapemq_broker.server.unanswered import LARGE

AT_ONCE: Final = 1000
"""What is settled in one turn of the loop, at 5 µs each: entries, and records that are looked at
one by one."""

_TOKENS_PER_REQUEST: Final = 4
"""So many tokens count as one request that waits, of up to 1 KiB: one takes 144 bytes in Python
3.11 (tracemalloc), and a place in two lists."""

Settle = Callable[[Sequence[Token]], Effects]
"""Settles some; the answer among its effects is for these alone."""

Cost = Callable[[Token], int]
"""How much of that a token may be."""


class Settling:
    """Carries a settlement out, in several turns of the loop if it is large, with one answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    def start(self, request: Request, tokens: Sequence[Token], settle: Settle, cost: Cost) -> None:
        """Begin; a small one is done when this returns."""
        is_small = sum(token[2] for token in tokens) <= AT_ONCE
        parts = [] if is_small else list(_parts(tokens, cost))
        if len(parts) <= 1:
            self._engine.execute(request, lambda: settle(tokens))
        else:
            number = self._engine.settlements.begin(request.session)
            self._engine.spawn(self._carry_out(number, request, parts, settle))

    async def _carry_out(
        self, number: int, request: Request, parts: list[list[Token]], settle: Settle
    ) -> None:
        weight = LARGE + sum(map(len, parts)) // _TOKENS_PER_REQUEST
        try:
            with self._engine.unanswered.counting(request.session, weight):
                await self._go_on(request, parts, settle)
        finally:
            self._engine.settlements.end(request.session, number)

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


def _parts(tokens: Sequence[Token], cost: Cost) -> Iterator[list[Token]]:
    """Cut tokens into parts that cost about AT_ONCE.

    No token is cut: a lease has no more records than that, whatever a token says.
    """
    part: list[Token] = []
    weight = 0
    for token in tokens:
        part.append(token)
        weight += min(cost(token), AT_ONCE)
        if weight >= AT_ONCE:
            yield part
            part, weight = [], 0
    if part:
        yield part
