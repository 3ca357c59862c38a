"""Order books: kept from a venue's messages, watched, recorded, drawn. Pure but for the reader of files."""
