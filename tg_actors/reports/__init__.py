"""Pages about runs: gathered from a journal alone, rendered as one self-contained HTML file."""
