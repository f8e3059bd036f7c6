# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How Sphinx renders the reference (`make docs`). No intersphinx: the build needs no network."""

from __future__ import annotations

from typing import Any

from docutils.nodes import reference

project = "continuity.dr"
html_title = "continuity.dr reference"
extensions = ["sphinx_antsibull_ext"]
html_theme = "alabaster"
html_theme_options = {"page_width": "70em", "show_powered_by": False}
pygments_style = "ansible"
highlight_language = "YAML+Jinja"
default_role = "any"
nitpicky = True  # a reference to a page that is not there is a warning, and a warning fails the build
html_show_sphinx = False
html_copy_source = False
html_use_index = False

ANSIBLE_DOCS = "https://docs.ansible.com/projects/ansible/latest"
#: Pages of Ansible's own documentation that the reference points at, by label.
ANSIBLE_PAGES = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}


def to_ansible(_app: Any, _environment: Any, node: Any, content: Any) -> Any:
    """A link to a page of Ansible's; None for every other target, which Sphinx then reports."""
    page = ANSIBLE_PAGES.get(node.get("reftarget", ""))
    if page is None:
        return None
    return reference("", content.astext(), refuri=f"{ANSIBLE_DOCS}/{page}", internal=False)


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("missing-reference", to_ansible)
