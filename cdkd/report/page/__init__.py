"""One self-contained HTML page of what was asked, what came of it, and how to do it again."""
