"""A second pair of eyes with a read-only key: the books once more, from the venue's trades alone."""
