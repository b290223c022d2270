"""One file per distillation loss."""
