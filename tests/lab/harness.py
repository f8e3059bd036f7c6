# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run verbs against the lab as an operator does, and read what they left; used by the tests in the lab."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
LAB = CHECKOUT / "tests" / "lab"
INVENTORY = CHECKOUT / "inventories" / "lab"
FAULTS = LAB / "faults"
RUNS = CHECKOUT / "build" / "lab-runs"
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """One verb's end: exit code, output, wall time, and the report it wrote (empty when it wrote none)."""

    rc: int
    output: str
    seconds: float
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        return sum(int(match[2]) for match in RECAP.findall(self.output))

    def missing(self, *words: str) -> list[str]:
        """Which of the words it did not say; how its lines were broken does not matter."""
        said = " ".join(self.output.split())
        return [word for word in words if " ".join(word.split()) not in said]

    def service(self, name: str) -> Mapping[str, Any]:
        """One service's part of the report."""
        return next(each for each in self.report["services"] if each["service"] == name)

    def rules(self, name: str) -> dict[str, Mapping[str, Any]]:
        """The refusals of one service by their rule."""
        return {refusal["rule"]: refusal for refusal in self.service(name)["refusals"]}


def command(verb: str, *arguments: str, plan: Path | None = None, hosts: Path | None = None) -> list[str]:
    """The command line of a verb; ``name=value`` and ``{...}`` are extra variables, anything else is an option."""
    sources = ["-i", str(hosts or INVENTORY / "hosts.yml"), "-i", str(plan or INVENTORY / "plan.yml")]
    given = [each[0] == "{" or ("=" in each and each[0] != "-") for each in arguments]
    options = [
        word for each, extra in zip(arguments, given, strict=True) for word in (["-e", each] if extra else [each])
    ]
    return ["ansible-playbook", f"continuity.dr.{verb}", *sources, *options]


def environment() -> dict[str, str]:
    """The collection of this checkout, plain output, whatever Molecule or a user has set."""
    own = {"ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "build" / "collections"), "ANSIBLE_NOCOLOR": "1"}
    return {
        **os.environ,
        **own,
        "ANSIBLE_FORCE_COLOR": "0",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def run_verb(verb: str, *arguments: str, plan: Path | None = None, timeout: float = 240.0, runs: Path = RUNS) -> Result:
    """Run a verb to its end and read its report."""
    run_id = next((a.partition("=")[2] for a in arguments if a.startswith("continuity_run_id=")), None)
    run_id = run_id or f"test-{verb}-{time.time_ns()}"
    runs = next((Path(a.partition("=")[2]) for a in arguments if a.startswith("continuity_runs_dir=")), runs)
    own = [f"continuity_runs_dir={runs}", f"continuity_run_id={run_id}"]
    rc, output, seconds = _run(command(verb, *arguments, *own, plan=plan), timeout)
    path = runs / run_id / "report.json"
    report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return Result(rc, output, seconds, report)


def run_playbook(path: Path, *arguments: str, timeout: float = 240.0) -> Result:
    """Run somebody's own playbook on the lab's machines, without a plan; each argument is an extra variable."""
    options = [word for argument in arguments for word in ("-e", argument)]
    return Result(*_run(["ansible-playbook", "-i", str(INVENTORY / "hosts.yml"), str(path), *options], timeout))


def ended(
    words: Sequence[str], limit_seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout, without input, and wait for its end; ``stdout`` holds both streams."""
    return subprocess.run(
        words,
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=limit_seconds,
        check=False,
    )


def _run(words: list[str], timeout: float) -> tuple[int, str, float]:
    """Exit code, output and wall time of a command."""
    started = time.monotonic()
    done = ended(words, timeout, environment())
    return done.returncode, done.stdout, time.monotonic() - started


def start_verb(
    verb: str, *arguments: str, plan: Path | None = None, hosts: Path | None = None
) -> subprocess.Popen[str]:
    """Begin a verb and go on; the caller waits for it. Its output is read from ``stdout``."""
    return subprocess.Popen(
        command(verb, *arguments, f"continuity_runs_dir={RUNS}", plan=plan, hosts=hosts),
        cwd=CHECKOUT,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def journal(run_id: str, service: str, runs: Path = RUNS) -> list[dict[str, Any]]:
    """The lines of a run's journal so far."""
    path = runs / run_id / "journal" / f"{service}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def wait_for_step(
    run_id: str, service: str, step: str, state: str, count: int = 1, timeout: float = 60.0, runs: Path = RUNS
) -> dict[str, Any]:
    """Wait until the journal of a run that is under way has a line, ``count`` times."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        found = [entry for entry in journal(run_id, service, runs) if (entry["step"], entry["state"]) == (step, state)]
        if len(found) >= count:
            return found[-1]
        time.sleep(0.02)
    raise AssertionError(
        f"{run_id}: no {step} {state} of {service} within {timeout} s: {journal(run_id, service, runs)[-3:]}"
    )


def lab(*words: str) -> str:
    """Run a command of the lab."""
    return _checked([sys.executable, str(LAB / "lab.py"), *words])


def inside(container: str, script: str, check: bool = True) -> str:
    """Run a shell script as root in one of the lab's machines, past Ansible."""
    words = ["docker", "exec", f"continuity-lab-{container}", "/bin/sh", "-c", script]
    if check:
        return _checked(words)
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def sql(member: str, port: int, statement: str, database: str = "postgres") -> str:
    """Ask a server directly."""
    psql = f'runuser -u postgres -- /usr/lib/postgresql/15/bin/psql -XAqt -p {port} -d {database} -c "{statement}"'
    return inside(member, psql)


def writable(port: Mapping[str, int], database: str = "postgres") -> list[str]:
    """The members that take a write right now."""
    probe = "create temp table continuity_probe (n int)"
    answers = {
        member: inside(
            member,
            "runuser -u postgres -- timeout 3 /usr/lib/postgresql/15/bin/psql -XAqt "
            f"-p {number} -d {database} -c '{probe}' && echo yes",
            check=False,
        )
        for member, number in port.items()
    }
    return sorted(member for member, answer in answers.items() if answer.endswith("yes"))


def state() -> Path:
    """Keep what the lab looks like, from outside Ansible, for ``differences``."""
    kept = CHECKOUT / "build" / "lab-states"
    kept.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=kept)) / "state.json"
    _checked([sys.executable, str(LAB / "state.py"), "keep", str(path)])
    return path


def differences(before: Path) -> str:
    """What is different now, or nothing."""
    words = [sys.executable, str(LAB / "state.py"), "unchanged", str(before)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return (
        "" if done.returncode == 0 else done.stdout + done.stderr or f"nobody looked: it ended with {done.returncode}"
    )


def set_record(service: str, address: str, ttl: int = 5) -> None:
    """Point a service's record somewhere by hand, at the name server, and wait for the secondaries."""
    key = (CHECKOUT / "build" / "lab" / "secrets" / "tsig_continuity").read_text(encoding="utf-8").strip()
    name = f"{service}.shop.example."
    lines = [
        "server 127.0.0.1",
        f"key hmac-sha256:continuity {key}",
        "zone shop.example.",
        f"update delete {name} A",
        f"update add {name} {ttl} A {address}",
        "send",
    ]
    inside("ns0", "nsupdate <<'END'\n" + "\n".join(lines) + "\nEND")
    served = f'{{ set -- $(dig +noall +answer @127.0.0.1 {name} A); [ "$2 $5" = "{ttl} {address}" ]; }}'
    for server in ("ns0", "ns1", "ns2"):  # a second change within seconds of the first is told to them late
        inside(server, f"for i in $(seq 150); do {served} && exit 0; sleep 0.1; done; exit 1")


def last_report(verb: str, runs: Path = RUNS) -> dict[str, Any]:
    """The newest report of a verb that did more than look."""
    paths = sorted(runs.glob("*/report.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in paths:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if report["verb"] == verb and report["verdict"] != "nothing_to_do" and not report.get("check_mode"):
            return report
    raise AssertionError(f"no report of {verb} in {runs}")


def changed_plan(directory: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the lab's plan with texts replaced; a text that is not there is an error in the test."""
    text = (INVENTORY / "plan.yml").read_text(encoding="utf-8").replace("inventory_dir ~ '/../../", f"'{CHECKOUT}/")
    for old, new in changes:
        assert old in text, f"{old!r} is not in the plan"
        text = text.replace(old, new)
    path = directory / "plan.yml"
    path.write_text(text, encoding="utf-8")
    return path


def overlaid_plan(overlay: Path, directory: Path) -> Path:
    """A copy of the lab's plan with what a file says differently; lists are laid over each other item by item."""
    texts = [path.read_text(encoding="utf-8") for path in (INVENTORY / "plan.yml", overlay)]
    base, over = (yaml.safe_load(text.replace("inventory_dir ~ '/../../", f"'{CHECKOUT}/")) for text in texts)
    plan = _laid_over(base, over)
    path = directory / "plan.yml"
    path.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return path


def _laid_over(base: Any, over: Any) -> Any:
    """One value with another laid over it; null takes a key away."""
    if isinstance(base, dict) and isinstance(over, dict):
        merged = base | {key: _laid_over(base.get(key), value) for key, value in over.items()}
        return {key: value for key, value in merged.items() if key not in over or over[key] is not None}
    if isinstance(base, list) and isinstance(over, list):
        return [*map(_laid_over, base, over), *base[len(over) :], *over[len(base) :]]
    return over


def _checked(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words[:6])}: {done.stdout}{done.stderr}"
    return done.stdout.strip()
