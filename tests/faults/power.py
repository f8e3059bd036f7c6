# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When machines of the lab were off or frozen, as Docker tells it: nobody hears them then, and they take no writes."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

STOPS, GOES = ("die", "pause"), ("start", "unpause")
Time = tuple[float, float]


def times_off(events: Iterable[Mapping[str, Any]], container: str) -> list[Time]:
    """The times in which a container did not run, from Docker's events in their order.

    >>> times_off([{"Action": "pause", "timeNano": 1e9, "Actor": {"Attributes": {"name": "a"}}},
    ...            {"Action": "unpause", "timeNano": 3e9, "Actor": {"Attributes": {"name": "a"}}}], "a")
    [(1.0, 3.0)]
    """
    found: list[Time] = []
    since: float | None = None
    for event in events:
        if event["Actor"]["Attributes"].get("name") != container:
            continue
        moment = event["timeNano"] / 1e9
        if event["Action"] in STOPS and since is None:
            since = moment
        elif event["Action"] in GOES and since is not None:
            found.append((since, moment))
            since = None
    return found if since is None else [*found, (since, float("inf"))]


class Power:
    """Listens to Docker. Where it hears nothing nothing was off: what nobody heard is not explained away."""

    def __init__(self, containers: Sequence[str]) -> None:
        self._events: list[Mapping[str, Any]] = []
        kinds = [f"event={action}" for action in (*STOPS, *GOES)]
        names = [f"container={name}" for name in containers]
        self._words = ["docker", "events", "--format", "{{json .}}"]
        self._words += [word for each in (*kinds, *names) for word in ("--filter", each)]
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End it; what was heard stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._thread.join(10)
            assert self._process.stdout is not None
            self._process.stdout.close()

    def off(self, container: str) -> list[Time]:
        """The times in which it did not run."""
        return times_off(list(self._events), container)

    def _listen(self) -> None:
        assert self._process is not None
        for line in self._process.stdout or ():
            self._events.append(json.loads(line))
