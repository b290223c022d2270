"""One file per table, or per kind of table."""
