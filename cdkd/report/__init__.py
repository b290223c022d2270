"""Tracked runs become tables: the paper's, and our own."""
