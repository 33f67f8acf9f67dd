"""What a small shop asks of its queue in an hour: about three orders a second, more at noon than in the morning.

traffic.run(stage, minutes=60)
"""

import math
import random
import time
import uuid

from tests.pictures.stage import Stage

SHOES = ("shoes", "boots", "sandals", "socks")
PEOPLE = ("ada", "grace", "alan", "edsger", "barbara")
WAVE_S = 1500.0


def run(stage: Stage, minutes: float) -> None:
    """Blocks until the minutes are over."""
    began_s = time.monotonic()
    while (passed_s := time.monotonic() - began_s) < minutes * 60:
        _order(stage)
        if random.random() < 0.01:
            stage.post("/api/jobs", {"type": "stock.import", "payload": {"file": "stock.csv", "rows": 2000}})
        rate = 1.2 + 0.7 * math.sin(passed_s / WAVE_S * math.tau) + (2.5 if 0.6 < passed_s / minutes / 60 < 0.65 else 0)
        time.sleep(random.expovariate(rate))


def _order(stage: Stage) -> None:
    """One order of a customer: one request id, and the jobs that it makes."""
    order = random.randrange(10_000, 99_999)
    request_id = f"order-{order}-{uuid.uuid4().hex[:4]}"
    person = random.choice(PEOPLE)
    mail = {"to": f"{person}@shop.example", "subject": f"Your order {order}", "text": "Thank you."}
    total = f"{random.uniform(9, 240):.2f}"
    image = f"{random.choice(SHOES)}-{random.randrange(40)}.{'txt' if random.random() < 0.02 else 'jpg'}"
    jobs = [
        {"type": "invoice", "payload": {"order": order, "total": total}, "tags": ["shop"]},
        {"type": "thumbnail", "payload": {"image": image}},
        {"type": "email", "payload": mail, "delay_s": random.choice((0, 0, 0, 90))},
        {
            "type": "webhook",
            "payload": {"url": stage.hook, "body": {"order": order, "paid": True}},
            "backoff": {"base_s": 2, "cap_s": 60},
        },
    ]
    for job in random.sample(jobs, random.randrange(1, 4)):
        stage.post("/api/jobs", job, request_id)
    if random.random() < 0.01:
        stage.post("/api/jobs", {"type": "report", "payload": {"month": "2026-11"}}, request_id)
