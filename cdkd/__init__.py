"""Cross-modality knowledge distillation for compressed video action recognition."""

__version__ = "0.1.0"
