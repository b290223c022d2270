"""Cells as trials of an Optuna study: enqueued once, claimed once, settled once."""
