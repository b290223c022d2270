"""Processes that take cells from the queue and train them."""
