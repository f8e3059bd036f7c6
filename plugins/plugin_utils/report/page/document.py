# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""report.html: the report as one page that needs no network, verdict first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ansible_collections.continuity.dr.plugins.plugin_utils.core.verdict import VERDICTS
from ansible_collections.continuity.dr.plugins.plugin_utils.report import text
from ansible_collections.continuity.dr.plugins.plugin_utils.report.kept import KeptTemplates
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page import drawings, sentence
from ansible_collections.continuity.dr.plugins.plugin_utils.report.page.fields import Fields, visible

TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "page"
#: above this many, services that need no attention are folded away
_FOLD_ABOVE = 4
MARKS: Mapping[str, str] = {
    "failed": "✕",
    "refused": "⊘",
    "objective_missed": "!",
    "degraded": "▲",
    "not_measured": "?",
    "passed": "✓",
    "nothing_to_do": "–",
}
#: where no command is next
_NEXT = {
    "refused": "Do the next step of each rule below, then run the same command again.",
    "objective_missed": "Nothing is left to run; the phases below show where the time went.",
    "passed": "Nothing is left to do.",
    "nothing_to_do": "Nothing is left to do.",
}


def render(report: Mapping[str, Any]) -> str:
    """The report as a page; the same report gives the same bytes."""
    fields, services = Fields(report), report["services"]
    fold = len(services) > _FOLD_ABOVE
    order = range(len(services))
    worst_first = sorted(order, key=lambda number: VERDICTS.index(services[number]["verdict"]))
    return page(
        "report.html.j2",
        report=report,
        f=fields,
        drawings=drawings.draw(report),
        drawn_outages=drawings.compared(report),
        detailed=drawings.detailed(report),
        most_drawn=drawings.MOST_SERVICES,
        fold=fold,
        attention=worst_first,
        worst_first=worst_first if fold else order,
        next_commands=list(dict.fromkeys(filter(None, (services[number]["next_command"] for number in worst_first)))),
        run_sentence=sentence.run_sentence(fields),
        sentences=[sentence.service_sentence(fields, index) for index in range(len(services))],
        phases=text.PHASES,
        next_step=_next_step(report),
        longest=sentence.LONGEST,
    )


def _next_step(report: Mapping[str, Any]) -> str:
    """What to do where no command is next."""
    verdict = report["verdict"]
    if report["check_mode"] and verdict not in ("failed", "refused", "nothing_to_do"):
        return "To do it, run the same command without --check."
    done = {key: said for key, said in _NEXT.items() if key == "refused" or not _open(report)}
    return done.get(verdict, "No command is next; what is open stands below.")


def _open(report: Mapping[str, Any]) -> bool:
    return any(service["redundancy"] for service in report["services"])


def page(template: str, **variables: Any) -> str:
    """A page of this folder. Everything that is not Markup is escaped, and hidden characters are shown."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        bytecode_cache=KeptTemplates(),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=lambda value: value if isinstance(value, (Markup, int, float)) else visible(value),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        as_given=text.as_given,
        by_operator=text.by_operator,
        counted=text.counted,
        duration=text.duration,
        moves=text.moves,
        phase_texts=text.phase_texts,
        result=text.result,
        rows=text.rows,
        said=text.said,
        way=lambda entry: text.way(entry).replace("->", "→"),
        words=text.words,
        address=lambda value: quote(str(value).encode("utf-8", "replace"), safe="/"),
    )
    environment.globals.update(
        verdict_text={name: shown.capitalize() for name, shown in text.VERDICT_TEXT.items()},
        marks=MARKS,
        css=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
    )
    return environment.get_template(template).render(**variables)
