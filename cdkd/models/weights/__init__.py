"""Weights come and go: checkpoints, pretrained starts, other projects' files."""
