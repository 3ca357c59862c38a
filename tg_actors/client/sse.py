"""Server-sent events, as far as this API sends them: ``data:`` lines, ended by an empty one. Pure."""

from collections.abc import Iterable, Iterator


def events(lines: Iterable[bytes]) -> Iterator[str]:
    """Yield the data of each event; comments and other fields are passed over."""
    data: list[str] = []
    for line in lines:
        if not line and data:
            yield "\n".join(data)
            data = []
        elif line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").removeprefix(b" ").decode())
