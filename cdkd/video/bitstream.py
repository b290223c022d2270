"""Reads numbers of any width from the bits of a stream header."""


class BitReader:
    """A cursor over big-endian bits; reading past the end raises `EOFError`."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._remaining = 8 * len(data)

    def read(self, width: int) -> int:
        """The next `width` bits as an unsigned number."""
        if width > self._remaining:
            raise EOFError("the header ends early")
        self._remaining -= width
        return (self._value >> self._remaining) & ((1 << width) - 1)

    def read_exp_golomb(self) -> int:
        """The next unsigned exponential-Golomb code, H.264's ue(v)."""
        zeros = 0
        while self.read(1) == 0:
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)

    def read_signed_exp_golomb(self) -> int:
        """The next signed exponential-Golomb code, H.264's se(v)."""
        code = self.read_exp_golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)
