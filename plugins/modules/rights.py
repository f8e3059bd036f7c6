# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: rights
short_description: Write what a login, the database and the name server must allow
version_added: "0.1.0"
description:
  - Writes, for the services of the plan in scope, the files that an administrator installs once. For each member the
    sudoers lines of its login, every command in full. For each service the roles of the database as SQL, and lines of
    C(pg_hba.conf). For each zone the lines of C(update-policy).
  - Each role of the plan says what it needs. One that does not is named under RV(unknown) and on the terminal.
  - Contacts no machine and opens no secret, so it works before there is any of them.
  - A step of the playbook C(continuity.dr.rights). The task's host is never connected to.
options:
  directory:
    description: Where the files go. It is made where it is missing; other files in it are left alone.
    type: path
    default: rights
  login:
    description: Who logs in to the members. Without it the inventory's C(ansible_user) of each.
    type: str
attributes:
  diff_mode:
    support: full
extends_documentation_fragment:
  - continuity.dr.controller
author: continuity.dr contributors (@continuity-dr)
"""

EXAMPLES = r"""
- name: Write what an administrator installs
  continuity.dr.rights:
    directory: rights
  run_once: true
"""

RETURN = r"""
paths:
  description: Every file, written now or as it was.
  returned: success
  type: list
  elements: str
  sample: [rights/db1.sudoers, rights/payments-db.sql, rights/shop.example.update-policy]
unknown:
  description: Parts of the plan whose role does not say what it needs.
  returned: success
  type: list
  elements: str
reason:
  description: Why the task failed, V(bad_input) for a login or a part of the plan that no file can name.
  returned: failed
  type: str
"""
