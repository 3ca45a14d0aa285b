"""All tasks under Locust: `locust -f clients/load/locustfile.py --host http://127.0.0.1:3000`.

Each user asks the next as soon as the last is answered, tasks by the weights of `ekiben_load.mix.DEFAULT_MIX`.
Locust costs more CPU time than `ekiben_load` and counts latency from when a request was sent; it has a page that is
live, and can be spread over machines.
"""

from __future__ import annotations

import os
from itertools import cycle

from locust import FastHttpUser, constant, task

from ekiben_load import inputs
from ekiben_load.mix import DEFAULT_MIX, parse_mix
from ekiben_load.queries import TASKS, queries

WEIGHTS = {name: round(weight) for name, weight in parse_mix(DEFAULT_MIX).items()}
QUERIES = {name: cycle(queries(name, inputs.read_files(inputs.EXAMPLES), inputs.texts())) for name in TASKS}
KEY = os.environ.get("EKIBEN_API_KEY")


class Client(FastHttpUser):
    """Somebody who uses every task."""

    wait_time = constant(0)

    def ask(self, name: str) -> None:
        query = next(QUERIES[name])
        headers = {"content-type": query.media_type, **({"authorization": f"Bearer {KEY}"} if KEY else {})}
        with self.client.post(query.path, data=query.body, headers=headers, catch_response=True) as answer:
            if answer.status_code == 200 and not TASKS[name].is_plausible(answer.content):
                answer.failure("implausible")

    @task(WEIGHTS["image-classification"])
    def classify_image(self) -> None:
        self.ask("image-classification")

    @task(WEIGHTS["object-detection"])
    def detect_objects(self) -> None:
        self.ask("object-detection")

    @task(WEIGHTS["face-detection"])
    def detect_faces(self) -> None:
        self.ask("face-detection")

    @task(WEIGHTS["style-transfer"])
    def transfer_style(self) -> None:
        self.ask("style-transfer")

    @task(WEIGHTS["speech-recognition"])
    def recognize_speech(self) -> None:
        self.ask("speech-recognition")

    @task(WEIGHTS["translation"])
    def translate(self) -> None:
        self.ask("translation")
