"""Steps -> redis-py's calls: the blocking way, a thread for each user of the pool, and asyncio.

Both hand a step's reply, or the library's exception, back to the consumer that asked for it.
"""

from __future__ import annotations

import json
import os
import queue
import random
import threading
import time
from typing import TYPE_CHECKING, Any

import redis

from .connection import connection_options, speaking_asyncio_connection, speaking_connection
from .patterns import Call, Sleep, Subscribe, consumers
from .voice import Voice

if TYPE_CHECKING:
    from .patterns import Consumer, Step

ERRORS = (redis.RedisError, OSError)


def consume(task: dict[str, Any], voice: Voice) -> int:
    """The contract's task -> its consumers, until one of them ends; returns the exit code."""
    random.seed(task["seed"])  # redis-py's backoff draws from it
    if task.get("mode") == "asyncio":
        import asyncio  # noqa: PLC0415 - only where it is asked for

        return asyncio.run(_consume_in_asyncio(task, voice))
    settings = task["settings"]
    client = redis.Redis(host=task["host"], port=task["port"], **connection_options(settings))
    pool = client.connection_pool  # it keeps Redis' own defaults, and its class for TLS
    timeout = settings.get("user_timeout")
    pool.connection_class = speaking_connection(voice, timeout, pool.connection_class)
    first, *others = consumers(task["workload"], voice, ERRORS)
    if not others:
        return _drive(client, first)
    ended: queue.Queue[int] = queue.Queue()

    def run(one: Consumer) -> None:
        ended.put(_drive(client, one))

    for one in (first, *others):
        threading.Thread(target=run, args=(one,), daemon=True).start()
    return ended.get()


class _Blocking:
    """Takes the steps of one consumer with redis.Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._subscription: Any = None

    def take(self, step: Step) -> Any:  # noqa: ANN401 - a reply
        if isinstance(step, Call):
            return self._client.execute_command(*step.words)  # type: ignore[no-untyped-call]
        if isinstance(step, Sleep):
            return time.sleep(step.seconds)
        if isinstance(step, Subscribe):
            if self._subscription is not None:
                self._subscription.close()
            self._subscription = self._client.pubsub()  # type: ignore[no-untyped-call]
            return self._subscription.subscribe(step.channel)
        return self._subscription.parse_response(block=not step.block, timeout=step.block)


def _drive(client: redis.Redis, consumer: Consumer) -> int:
    hands = _Blocking(client)
    steps = consumer.steps()
    try:
        step = next(steps)
        while True:
            try:
                reply = hands.take(step)
            except ERRORS as error:
                step = steps.throw(error)
            else:
                step = steps.send(reply)
    except StopIteration as end:
        return int(end.value)


async def _consume_in_asyncio(task: dict[str, Any], voice: Voice) -> int:
    import asyncio  # noqa: PLC0415

    import redis.asyncio as aio  # noqa: PLC0415 - redis-py 4.2 and later

    settings = task["settings"]
    options = connection_options(settings, asyncio=True)
    client = aio.Redis(host=task["host"], port=task["port"], **options)
    pool, timeout = client.connection_pool, settings.get("user_timeout")
    pool.connection_class = speaking_asyncio_connection(voice, timeout, pool.connection_class)
    running = [
        asyncio.ensure_future(_drive_in_asyncio(client, one))
        for one in consumers(task["workload"], voice, ERRORS)
    ]
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    return done.pop().result()


class _Asyncio:
    """Takes the steps of one consumer with redis.asyncio.Redis."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - its module is imported late
        self._client = client
        self._subscription: Any = None

    async def take(self, step: Step) -> Any:  # noqa: ANN401 - a reply
        import asyncio  # noqa: PLC0415

        if isinstance(step, Call):
            return await self._client.execute_command(*step.words)
        if isinstance(step, Sleep):
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Subscribe):
            if self._subscription is not None:
                await self._subscription.reset()
            self._subscription = self._client.pubsub()
            return await self._subscription.subscribe(step.channel)
        return await self._subscription.parse_response(block=not step.block, timeout=step.block)


async def _drive_in_asyncio(client: Any, consumer: Consumer) -> int:  # noqa: ANN401
    hands = _Asyncio(client)
    steps = consumer.steps()
    try:
        step = next(steps)
        while True:
            try:
                reply = await hands.take(step)
            except ERRORS as error:
                step = steps.throw(error)
            else:
                step = steps.send(reply)
    except StopIteration as end:
        return int(end.value)


def main() -> int:
    """Read the contract from the environment and consume until stopped."""
    return consume(
        json.loads(os.environ["NETDIAG_CLIENT"]), Voice(int(os.environ["NETDIAG_EVENTS"]))
    )
