"""What need not be decoded twice: packed clips on disk, clips in memory, the index of GOPs."""
