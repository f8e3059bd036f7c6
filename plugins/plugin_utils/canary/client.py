# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The canary itself: a process of its own that writes numbered rows through the endpoint's name and notes what became
of each. It must outlive the step that started it and must not outlive the verb.

Its settings come as one JSON object on standard input (`Config.to_json`). It prints `{"pid": ...}` once it is ready,
goes into the background and stops by itself: on SIGTERM, when its stop file appears, when the watched process is gone,
at its cap of rows, after its longest time. A wrong setting or a missing library is told on standard error, exit code 2.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import types
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    # Ansible's own import machinery is not here, and a plain import would find another ansible_collections package in
    # site-packages first, where there is one: the collection is the folder that this file is in.
    _package = types.ModuleType("ansible_collections")
    _package.__path__ = [str(Path(__file__).absolute().parents[5])]
    sys.modules["ansible_collections"] = _package

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import Config, from_json
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.record import LedgerFile
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.session import require_driver
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.writing import RowWriter
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import format_time
from ansible_collections.continuity.dr.plugins.plugin_utils.process import is_running, mark_of

LOOK_SECONDS = 0.25
COSTLY_RETRY_SECONDS = 0.25


class Stops:
    """Every reason to stop."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._end = time.monotonic() + config.max_seconds
        self._look_at = 0.0
        self._signal = ""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def reason(self, written: int) -> str:
        """Why to stop now, in one word; empty: go on. `written`: rows that may stand in the table so far."""
        if self._signal or written >= self._config.max_rows:
            return self._signal or "max_rows"
        now = time.monotonic()
        if now >= self._end:
            return "max_seconds"
        if now < self._look_at:
            return ""
        self._look_at = now + LOOK_SECONDS
        if os.path.exists(self._config.stop_file):
            return "stop_file"
        watched = self._config.watch_pid
        return "" if watched is None or is_running(watched, self._config.watch_mark) else "controller_gone"

    def _on_signal(self, number: int, _frame: types.FrameType | None) -> None:
        self._signal = signal.Signals(number).name.lower()


class Canary:
    """Writes one row after another until something stops it."""

    def __init__(self, config: Config, file: LedgerFile) -> None:
        self._config = config
        self._file = file
        self._writer = RowWriter(config)
        earlier = file.earlier
        # One number is left out: the row that a killed client had sent and could not note any more.
        self._seq = earlier.last_seq + 2 if earlier.began else 1
        self._written = sum(1 for row in earlier.rows if row.outcome != "refused")
        self._counts: Counter[str] = Counter()

    def run(self) -> None:
        """Write until there is a reason to stop; the ledger's last line names it."""
        reason = "error"
        try:
            self._file.start()
            self._begin()
            stops = Stops(self._config)
            due = time.monotonic()
            while not (reason := stops.reason(self._written)):
                wait = due - time.monotonic()
                if wait > 0:
                    time.sleep(min(wait, LOOK_SECONDS))  # in slices: a slow canary stops as fast as a fast one
                else:
                    due = self._write_next(due)
        except Exception as error:
            reason = f"error: {type(error).__name__}: {error}"
            raise
        finally:
            self._writer.close()
            self._end(reason or "error")

    def _write_next(self, due: float) -> float:
        """Write one row; returns the monotonic time of the next."""
        sent, sent_ns = time.time(), time.monotonic_ns()
        attempt = self._writer.write(self._seq)
        done, done_ns = time.time(), time.monotonic_ns()
        times = {"sent": format_time(sent), "sent_ns": sent_ns, "done": format_time(done), "done_ns": done_ns}
        self._file.append({"seq": self._seq, **times, **attempt.to_dict()})
        self._seq += 1
        self._written += attempt.outcome != "refused"
        self._counts[attempt.outcome] += 1
        now = time.monotonic()
        if attempt.outcome == "acknowledged":
            return max(due + 1 / self._config.rate, now)  # what was missed is not made up for in a burst
        return now + (COSTLY_RETRY_SECONDS if attempt.costly else self._config.retry_seconds)

    def _begin(self) -> None:
        config, pid = self._config, os.getpid()
        self._file.append(
            {
                "event": "began",
                "format": 1,
                "time": format_time(time.time()),
                "monotonic_ns": time.monotonic_ns(),
                "service": config.service,
                "run_id": config.run_id,
                "name": config.login.name,
                "table": config.table,
                "rate": config.rate,
                "max_rows": config.max_rows,
                "max_seconds": config.max_seconds,
                "first_seq": self._seq,
                "pid": pid,
                "pid_mark": mark_of(pid),
            }
        )

    def _end(self, reason: str) -> None:
        self._file.append(
            {
                "event": "ended",
                "time": format_time(time.time()),
                "monotonic_ns": time.monotonic_ns(),
                "reason": reason,
                **{name: self._counts[name] for name in ("acknowledged", "refused", "in_doubt")},
                "cpu_seconds": round(time.process_time(), 3),
            }
        )
        self._file.close()


def main() -> int:
    """Read the settings, go into the background, write."""
    try:
        config = from_json(sys.stdin.read())
        require_driver()
        file = LedgerFile(config.ledger)
        canary = Canary(config, file)
    except (CanaryError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    pid = os.fork()
    if pid:
        print(json.dumps({"pid": pid}))
        return 0
    os.setsid()
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    canary.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
