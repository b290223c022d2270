"""Tracked runs become the paper's tables."""
