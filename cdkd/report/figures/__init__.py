"""Figures from tracked runs: one file each, one look, one table of all of them."""
