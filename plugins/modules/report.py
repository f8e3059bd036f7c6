# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write the report of a run, with its verdict
version_added: "0.1.0"
description:
  - Builds the report of a run from what it left in its directory, the C(run.json), the journals and the canary's
    measurements, and writes C(report.json), C(report.md), C(junit.xml) and the page C(report.html) beside them.
    Building it again from the same directory gives the same report.
  - The verdict of the run is that of its worst service, in the order V(failed), V(refused), V(objective_missed),
    V(degraded), V(not_measured), V(passed), V(nothing_to_do). C(docs/report.md) says when each of them holds.
  - A service that was moved never passes without a measurement of its outage and its loss.
  - This is an action that works in the controller's process. The task's host is never connected to.
options:
  run_directory:
    description:
      - Directory of the run. Within a verb it is the verb's own run; within the verb C(report) it is the run that
        C(continuity_run_id) names, else the newest one of C(continuity_runs_dir).
    type: path
  formats:
    description: What is written beside C(report.json), which is always written.
    type: list
    elements: str
    choices: [json, markdown, junit, html]
    default: [json, markdown, junit, html]
  fail_on:
    description:
      - Fail when the verdict demands it. That is with V(failed), V(refused) and V(objective_missed), with V(degraded)
        unless O(allow_degraded) names it, and with V(not_measured) after a drill.
    type: bool
    default: true
  allow_degraded:
    description:
      - Names of what may be left undone without failing the run, each as the report names it (C(endpoint_stale)), or
        the name of a service for all of its own.
      - What the run itself was started with (C(continuity_outcome_allow_degraded)) stands in its C(run.json) and holds
        when the report is built again; this option counts where the run allowed nothing.
    type: list
    elements: str
    default: []
  compare:
    description:
      - Return and show all reported runs beside this one as well, oldest first, without those in check mode. With
        V(html) among the O(formats) they are also drawn against their objectives on the page C(history.html) beside the
        runs' directories.
    type: bool
    default: false
  show:
    description: Print the summary to the terminal.
    type: bool
    default: true
notes:
  - The files are the record of a run, not a change to anything, so the task is never C(changed). They are written in
    check mode too and say that nothing was changed.
  - The drawings of the pages need matplotlib on the controller. Without it the pages are written without them and say
    so. It is imported when there is something to draw, after everything else was written.
  - Secrets are masked when the journal is written and once more in the report.
requirements:
  - matplotlib (drawings only)
extends_documentation_fragment:
  - continuity.dr.controller
author: continuity.dr contributors (@continuity-dr)
"""

EXAMPLES = r"""
- name: Write the report of this run and fail if its verdict demands it
  continuity.dr.report:
    allow_degraded: "{{ continuity_outcome_allow_degraded | default([]) }}"
  run_once: true

- name: Write the report of an earlier run again, without failing
  continuity.dr.report:
    run_directory: runs/20261122T031500Z-3f9a
    fail_on: false
  delegate_to: localhost

- name: Collect JUnit only, and see how the runs of the last weeks compare
  continuity.dr.report:
    run_directory: runs/20261122T031500Z-3f9a
    formats: [junit]
    compare: true
  delegate_to: localhost
  register: report
"""

RETURN = r"""
run_id:
  description: The run that was reported.
  returned: when there is a report
  type: str
  sample: 20261122T031500Z-3f9a
verdict:
  description: The verdict of the run.
  returned: when there is a report
  type: str
  sample: passed
fails:
  description: Whether the verdict demands a non-zero exit, whatever O(fail_on) says.
  returned: when there is a report
  type: bool
paths:
  description: Path of every written file by its format.
  returned: when there is a report
  type: dict
  sample:
    json: runs/20261122T031500Z-3f9a/report.json
    markdown: runs/20261122T031500Z-3f9a/report.md
    junit: runs/20261122T031500Z-3f9a/junit.xml
    html: runs/20261122T031500Z-3f9a/report.html
    history: runs/history.html
summary_lines:
  description: A table for the terminal, what is wrong, and the next commands, as lines of text.
  returned: when there is a report, and the step succeeds or O(show) is false
  type: list
  elements: str
services:
  description: Verdict, reasons and next command of every service.
  returned: when there is a report
  type: list
  elements: dict
  contains:
    service:
      description: Name of the service.
      type: str
    verdict:
      description: Its verdict.
      type: str
    fails:
      description: Whether the run fails because of it.
      type: bool
    reasons:
      description: Why, worst first.
      type: list
      elements: str
    next_command:
      description: The literal command to run next, or null.
      type: str
runs:
  description:
    - Every service of every reported run that was no check, oldest first; empty without O(compare).
    - C(at_least_seconds) is what is certain of an outage whose end nobody saw.
  returned: when there is a report, and the step succeeds or O(show) is false
  type: list
  elements: dict
  sample:
    - run_id: 20261122T031500Z-3f9a
      directory: 20261122T031500Z-3f9a
      started: "2026-11-22T03:15:00.000000Z"
      verb: drill
      service: payments-db
      measured_seconds: 2.41
      rto_seconds: 362.41
      rto_objective_seconds: 3600.0
      rpo_seconds: 0.0
      rpo_objective_seconds: 0.0
      lost: 0
      verdict: passed
      at_least_seconds: null
reason:
  description: Why the task failed; V(no_report) when there is nothing to report on, else the verdict.
  returned: failed
  type: str
"""
