"""What a sweep shows of itself."""
