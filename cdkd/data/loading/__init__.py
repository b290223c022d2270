"""Clips of a part of a data set, one by one or batch by batch, kept in memory where they fit."""
