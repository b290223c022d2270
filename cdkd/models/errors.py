"""What a user can get wrong about networks and their weights."""

from cdkd.errors import CdkdError


class ModelError(CdkdError):
    """A network cannot be built, fed or filled with the given weights; the text says why and what to change."""
