"""Tensors become logits and named features: teachers and students."""
