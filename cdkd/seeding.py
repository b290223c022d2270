"""Independent random streams by (seed, component), so that switching a part on shifts nobody else's stream."""

import hashlib


def derive_seed(seed: int, *names: object) -> int:
    """A 63-bit seed for one component; any two different (seed, names) give unrelated streams."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
