"""Built objects become a trained model."""
