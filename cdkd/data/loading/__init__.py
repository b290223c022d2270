"""Clips of a part of a data set, one by one or batch by batch."""
