"""What a trained network is good for: predictions, exports, and how users name it."""
