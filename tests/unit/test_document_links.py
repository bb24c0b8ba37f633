"""What documents point to is there: links, their anchors, and modules named by their path."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("images/*.md")])
# Decisions are history: they name modules as they were called then.
PRESENT = [path for path in DOCUMENTS if path.parent.name != "decisions"]
FILES = [str(path) for path in ROOT.glob("[a-z]*/**/*.py")]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(document: Path) -> set[str]:
    """Return the anchors of a page as GitHub makes them of its headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    broken = []
    for link in links:
        path, _, anchor = link.partition("#")
        if "://" in link or path.startswith("mailto:"):
            continue
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("document", PRESENT, ids=named)
def test_every_module_that_a_page_names_is_there(document: Path) -> None:
    names = set(re.findall(r"(?<![/.\w])[\w/]*\w\.py\b", document.read_text(encoding="utf-8")))
    if "architecture" not in str(document):
        # Without a folder it may be a locustfile of the reader.
        names = {name for name in names if "/" in name}
    assert not {
        name for name in names if not any(file.endswith(f"/{name.lstrip('/')}") for file in FILES)
    }
