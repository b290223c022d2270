"""What need not be decoded twice: packed clips on disk, the index of GOPs."""
