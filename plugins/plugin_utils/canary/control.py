# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starting the client and stopping it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import Config
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.record import in_use, read
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.tail import Tail
from ansible_collections.continuity.dr.plugins.plugin_utils.core.ledger import Row
from ansible_collections.continuity.dr.plugins.plugin_utils.process import is_running

#: Run, never imported here: what it needs takes a tenth of a second that a failover would wait for.
CLIENT = str(Path(__file__).with_name("client.py"))
LAUNCH_SECONDS = 20.0
STOP_SECONDS = 10.0

# Of the environment only this: PGPASSWORD, PGOPTIONS and their like would make another client of it.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "SSL_CERT_FILE")

#: Clients whose start nobody waited for; each goes into the background by itself.
_BEGUN: list[subprocess.Popen[str]] = []

_HINTS = {
    "42P01": "create the table with the role continuity.dr.canary, entry point set_up",
    "42501": "give the role the grants of docs/canary.md",
    "25006": "the name leads to a server that takes no writes",
    "no_address": "check the endpoint's name and the resolvers",
    "connect_refused": "check address, port, role, password and pg_hba.conf",
    "connect_timeout": "check that the controller reaches the address",
}


def start(config: Config, minimum_rows: int, timeout: float) -> dict[str, Any]:
    """Have a client that writes; returns once `minimum_rows` are acknowledged from now on (0: without waiting for it).

    A client that already writes this ledger is left alone (`changed` False). Raises CanaryError, after stopping what it
    started, when the rows do not come within `timeout` seconds: the text says what stood in the way.
    """
    path = Path(config.ledger)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    changed = not in_use(path)
    tail = Tail(path)
    tail.poll()  # what was acknowledged earlier does not prove that the canary can write now
    if changed:
        Path(config.stop_file).unlink(missing_ok=True)
        _launch(config, waits=minimum_rows > 0)
    acknowledged: list[int] = []

    def enough(rows: list[Row]) -> bool:
        acknowledged.extend(row.seq for row in rows if row.acknowledged)
        return len(acknowledged) >= minimum_rows

    if not tail.wait(enough, timeout):
        if changed:
            stop(config.ledger)
        raise CanaryError(
            f"the canary of {config.service} had {len(acknowledged)} of {minimum_rows} writes acknowledged within "
            f"{timeout:g} s: {why_not(tail)}",
            reason="canary_cannot_write",
        )
    running = read(path).running or {}
    return {"changed": changed, "pid": running.get("pid"), "ledger": config.ledger, "acknowledged": len(acknowledged)}


def stop(ledger: str, timeout: float = STOP_SECONDS) -> dict[str, Any]:
    """Stop the client of a ledger and return the ledger's counts. None running is fine (`changed` False)."""
    changed = in_use(ledger)
    if changed:
        _stop_client(ledger, timeout)
    whole = read(ledger)
    counts = Counter(row.outcome for row in whole.rows)
    last = whole.ended[-1] if whole.ended else {}
    return {
        "changed": changed,
        "ledger": ledger,
        **{name: counts[name] for name in ("acknowledged", "refused", "in_doubt")},
        "stopped_because": "killed" if whole.running else last.get("reason"),
        "cpu_seconds": last.get("cpu_seconds"),
    }


def why_not(tail: Tail) -> str:
    """Why a canary does not write, from its last row that was not acknowledged, and what to do about it."""
    row = tail.last_problem()
    if row is None:
        return "the client ended before its first write" if tail.ended is None else f"it ended ({tail.ended['reason']})"
    hint = _HINTS.get(row.sqlstate or "") or _HINTS.get(row.error_class or "")
    where = f" at {row.address} port {row.port}" if row.address else ""
    code = f" {row.sqlstate}" if row.sqlstate else ""
    return f"{row.error_class}{code}{where}: {row.message}" + (f". Next: {hint}" if hint else "")


def _launch(config: Config, waits: bool = True) -> None:
    """Start the client; without `waits` an outage goes on meanwhile, and whether it runs is seen by what it wrote."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # -P: a file beside the client must not take the place of a module of the standard library.
    command = [sys.executable, "-P", CLIENT]
    if not waits:
        nothing = subprocess.DEVNULL
        begun = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=nothing, stderr=nothing, text=True, env=environment
        )
        _BEGUN.append(begun)
        with contextlib.suppress(BrokenPipeError):
            _say(begun, config.to_json())
        return
    try:
        done = subprocess.run(
            command,
            input=config.to_json(),
            capture_output=True,
            text=True,
            timeout=LAUNCH_SECONDS,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CanaryError(f"the canary's client did not start: {type(error).__name__}", reason="not_started") from None
    if done.returncode:
        text = done.stderr.strip() or f"exit code {done.returncode}"
        raise CanaryError(f"the canary's client did not start: {text.splitlines()[-1]}", reason="not_started")


def _say(begun: subprocess.Popen[str], text: str) -> None:
    """Write it to the client's standard input and close that, without a word to come back."""
    if begun.stdin is None:
        raise AssertionError("it was started with a pipe")
    with begun.stdin:
        begun.stdin.write(text)


def _stop_client(ledger: str, timeout: float) -> None:
    """Ask twice, by signal and by file (a client in another container sees only the file), then kill."""
    running = read(ledger).running or {}
    pid, mark = int(running.get("pid") or 0), str(running.get("pid_mark") or "")
    stop_file = Path(ledger.removesuffix(".jsonl") + ".stop")
    try:
        for number, bound in ((signal.SIGTERM, timeout), (signal.SIGKILL, 1.0)):
            if pid and is_running(pid, mark):
                os.kill(pid, number)
            stop_file.touch()  # after the signal: which of them ended a client is always told the same way
            if _released(ledger, bound):
                return
    finally:
        stop_file.unlink(missing_ok=True)
    raise CanaryError(f"the canary (process {pid}) cannot be stopped; end it by hand", reason="not_stopped")


def _released(ledger: str, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while in_use(ledger):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True
