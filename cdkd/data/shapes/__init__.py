"""The embedded data set: rendered from a seed, written as real MPEG-4 videos."""
