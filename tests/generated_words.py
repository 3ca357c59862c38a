"""Documents that show tables of the program, between marks."""

from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def shown(document: str, mark: str) -> str:
    """What a document shows between the marks of a table."""
    _, _, rest = (DOCS / document).read_text().partition(f"<!-- {mark}: generated -->\n")
    table, end, _ = rest.partition(f"\n<!-- end of {mark} -->")
    assert end, f"docs/{document} has no table {mark}"
    return table
