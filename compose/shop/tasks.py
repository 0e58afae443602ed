"""The shop's background work."""

import os
import time

from celery import Celery

app = Celery("shop", broker=os.environ["BROKER_URL"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
)


@app.task(acks_late=True)
def send_receipt(order: int) -> None:
    """Pretend to mail a receipt."""
    time.sleep(0.05)
    print(f"receipt for order {order} sent", flush=True)
