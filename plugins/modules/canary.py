# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: canary
short_description: Measure an outage and a data loss with an independent database client
version_added: "0.1.0"
description:
  - Runs a client on the controller that writes numbered rows through the endpoint's name at a set rate, as an
    application would, and keeps a ledger of what was acknowledged, when and by which server.
  - From the ledger it measures how long no write went through and which acknowledged writes are gone.
    C(docs/canary.md) says how each number is defined, which grants are needed and what the client may do.
  - The client finds the server through the name at every connection and never sends a row twice. It stops by itself
    when the C(ansible-playbook) that started it is gone, at O(max_rows) and after O(max_seconds).
  - The module and its client run on the controller. The task's host is never connected to.
  - PostgreSQL only. A plan writes O(max_seconds) as the duration C(max_duration) and O(stable_for_seconds) as
    C(stable_for).
requirements:
  - psycopg 3.2 or later in the Python that runs Ansible (C(pip install 'psycopg[binary]>=3.2,<4'))
  - dnspython 2.6 or later there, where O(resolvers) are given
options:
  state:
    description:
      - V(set_up) makes the table and grants O(role) SELECT and INSERT on it. Nothing else ever makes the table.
      - V(started) has a client that writes, and returns once O(minimum_rows) rows are acknowledged. It fails, with the
        reason, when the canary cannot write. A client that already writes the same ledger is left alone.
      - V(measured) waits until every write has been acknowledged for O(stable_for_seconds), reads through the name
        which rows survive, measures, and keeps the result under O(stage). When the service does not become stable it
        fails with the reason V(not_stable), and the result holds what could be measured.
      - V(stopped) stops the client and returns the counts of its ledger.
    type: str
    required: true
    choices: [set_up, started, measured, stopped]
  service:
    description: Name of the service; it names the files of the ledger and of the measurements.
    type: str
    required: true
  endpoint:
    description: The name that clients use to find the primary, or an address. Required except with O(state=stopped).
    type: str
  resolvers:
    description:
      - Name servers to ask for O(endpoint), in this order, each for at most 0.5 s. V(address) or V(address#port).
      - Without any, the system's resolver is asked, with whatever it caches.
    type: list
    elements: str
    default: []
  port:
    description: Port of the database at every address that O(ports) does not name.
    type: int
    default: 5432
  ports:
    description: 'Ports by address, where members listen on different ones, as V({198.51.100.11: 5433}).'
    type: dict
    default: {}
  database:
    description: Database with the canary's table. Required except with O(state=stopped).
    type: str
  table:
    description: The canary's table, V(name) or V(schema.name).
    type: str
    default: continuity_canary
  role:
    description: >-
      Database role that writes the rows. Required except with O(state=stopped). C(docs/canary.md) has its grants.
    type: str
  password:
    description: Password of O(role). Reaches the client on its standard input only.
    type: str
  owner:
    description:
      - Role that makes the table (O(state=set_up)) or deletes rows (O(purge)); O(role) itself where it is not given.
    type: str
  owner_password:
    description: Password of O(owner).
    type: str
  sslmode:
    description: How far the connection is encrypted and the server checked, in the words of PostgreSQL's own clients.
    type: str
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
    default: prefer
  rate:
    description: Writes a second, 0.1 to 1000. What an outage cannot be measured finer than is 1 / O(rate).
    type: float
    default: 20
  max_rows:
    description: Rows that may reach the table in one run. The client stops there.
    type: int
    default: 100000
  max_seconds:
    description: The longest time in seconds that a client runs.
    type: float
    default: 3600
  minimum_rows:
    description:
      - Acknowledged rows that O(state=started) waits for, counted from now on. V(0) waits for nothing, not
        even for the client to run, for a service that is down already and whose failover must not wait.
    type: int
    default: 5
  timeout_seconds:
    description:
      - The longest wait in seconds. Where it is not given, 10 s and the time of O(minimum_rows) at O(rate) with
        O(state=started), 30 s with O(state=measured).
    type: float
  run_id:
    description: Run that the rows belong to. Required outside of a verb; within one it is the verb's own run.
    type: str
  directory:
    description: Folder of the ledger on the controller. Required outside of a verb; within one it is
      C(runs/RUN_ID/canary).
    type: path
  stage:
    description:
      - Name of the measurement. Measuring a stage again replaces it. Within a verb it is the stage of the verb.
    type: str
  window_start:
    description:
      - Time at which the measured window begins, as V(2026-11-22T03:15:00Z) or in seconds since 1970. Without it
        the window is the whole ledger.
    type: str
  fault_time:
    description: Time of the fault, in the form of O(window_start). Leave it out for a planned change.
    type: str
  stable_for_seconds:
    description: How many seconds every write must be acknowledged by one server before the service counts as stable.
    type: float
    default: 2
  expected:
    description:
      - The primary that must serve at the end; what is not given is not asked. Only its acknowledgements end the
        outage.
      - Without it no change of primary is expected, and the outage is the longest gap.
    type: dict
    suboptions:
      system_id:
        description: PostgreSQL's system identifier.
        type: str
      timeline:
        description: This timeline or a later one.
        type: int
      addresses:
        description: Addresses of the member, any of them.
        type: list
        elements: str
  fenced:
    description: Members that were proven fenced. A row that one of them acknowledges after that is counted and listed.
    type: list
    elements: dict
    default: []
    suboptions:
      addresses:
        description: Addresses of the member.
        type: list
        elements: str
        required: true
      since:
        description: Time of the proof, in the form of O(window_start).
        type: str
        required: true
      until:
        description: Time of the release; without it the member is still fenced.
        type: str
  purge:
    description: With O(state=stopped), delete the rows of this run from the table. It needs the DELETE grant.
    type: bool
    default: false
notes:
  - In check mode no client is started or stopped, no row is written and nothing is measured.
  - The ledger and the measurements stay below O(directory) when the run is over, with the mode 0640.
extends_documentation_fragment:
  - continuity.dr.controller
author: continuity.dr contributors (@continuity-dr)
"""

EXAMPLES = r"""
- name: Make the canary's table, once
  continuity.dr.canary:
    state: set_up
    service: payments-db
    endpoint: payments-db.shop.example.
    database: shop
    role: canary
    owner: shop_owner
    owner_password: "{{ vault_shop_owner_password }}"

- name: Write 100 rows a second while the primary is moved
  continuity.dr.canary:
    state: started
    service: payments-db
    endpoint: payments-db.shop.example.
    resolvers: [198.51.100.53, 203.0.113.53]
    database: shop
    role: canary
    password: "{{ vault_canary_password }}"
    rate: 100
    run_id: "2026-11-22-night"
    directory: runs/2026-11-22-night/canary

- name: Measure the outage and the loss
  continuity.dr.canary:
    state: measured
    service: payments-db
    endpoint: payments-db.shop.example.
    resolvers: [198.51.100.53, 203.0.113.53]
    database: shop
    role: canary
    password: "{{ vault_canary_password }}"
    run_id: "2026-11-22-night"
    directory: runs/2026-11-22-night/canary
    stage: switchover
    expected:
      system_id: "7710832137368515102"
      timeline: 2
      addresses: [203.0.113.11]
  register: canary

- name: Stop it
  continuity.dr.canary:
    state: stopped
    service: payments-db
    directory: runs/2026-11-22-night/canary
"""

RETURN = r"""
ledger:
  description: Path of the ledger, one JSON object a line.
  returned: except with O(state=set_up)
  type: str
  sample: /srv/runs/2026-11-22-night/canary/payments-db.jsonl
statements:
  description: SQL that was run (in check mode, that would be run).
  returned: with O(state=set_up)
  type: list
  elements: str
pid:
  description: Process of the client on the controller.
  returned: with O(state=started)
  type: int
acknowledged:
  description: Acknowledged rows; with O(state=started) those waited for, with O(state=stopped) all of the ledger.
  returned: with O(state=started) and O(state=stopped)
  type: int
refused:
  description: Rows that certainly did not reach the table.
  returned: with O(state=stopped)
  type: int
in_doubt:
  description: Rows that were sent and whose fate was not learnt.
  returned: with O(state=stopped)
  type: int
stopped_because:
  description:
    - V(sigterm), V(stop_file), V(controller_gone), V(max_rows), V(max_seconds), V(killed), V(error) with its text, or
      null when no client ever ran.
  returned: with O(state=stopped)
  type: str
reason:
  description: >-
    Why it failed, in one word. V(canary_cannot_write), V(not_stable), V(missing_library), V(foreign_table),
    V(table_failed), V(not_primary), V(no_address), V(cannot_connect), V(unexpected_server), V(no_ledger),
    V(bad_ledger), V(already_running), V(not_started), V(not_stopped), V(files), V(bad_setting).
  returned: failure
  type: str
  sample: canary_cannot_write
cpu_seconds:
  description: Processor time of the client.
  returned: with O(state=stopped)
  type: float
purged:
  description: Rows deleted.
  returned: with O(purge)
  type: int
file:
  description: Path of the file that keeps the run's measurements of this service.
  returned: with O(state=measured)
  type: str
measurement:
  description:
    - The measurement, as RV(file) keeps it for the stage; also the fact C(continuity_canary).
    - What could not be known is null.
  returned: with O(state=measured)
  type: dict
  sample:
    stage: switchover
    outage_seconds: 0.212
    acknowledged: 1200
    in_doubt: 1
    lost: 0
  contains:
    stable:
      description: Whether the expected primary acknowledges at the end of the window, and has for long enough.
      type: bool
    outage_seconds:
      description: From the last acknowledged write before the interruption to the first of the stable service after it.
      type: float
    outage_unknown:
      description: Why RV(measurement.outage_seconds) is null.
      type: str
    longest_gap_seconds:
      description: Longest time between two acknowledgements in the window, whoever gave them.
      type: float
    resolution_seconds:
      description: Median time between two acknowledgements. An outage cannot be measured finer.
      type: float
    acknowledged:
      description: Rows in the window whose commit a server reported.
      type: int
    refused:
      description: Rows in the window that certainly did not reach the table.
      type: int
    in_doubt:
      description: Rows in the window that were sent and whose fate was not learnt.
      type: int
    compared:
      description: Acknowledged rows of the whole run that were looked for on the new primary.
      type: int
    lost:
      description: How many of them it does not hold, without those that an earlier stage counted.
      type: int
    lost_rows:
      description: The first 100 of their numbers.
      type: list
    lost_seconds:
      description: From the newest surviving write before the first lost one to the last lost one.
      type: float
    acknowledged_by:
      description: The servers that acknowledged, with their counts, first and last times.
      type: list
    acknowledged_by_fenced:
      description: Rows acknowledged by a member after it was proven fenced; null when no fenced member was given.
      type: int
    acknowledged_by_old_primary:
      description: Rows acknowledged by somebody else while the new primary was in service.
      type: int
    surviving_from:
      description: The server from which the surviving rows were read.
      type: dict
"""
