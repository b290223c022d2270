"""The base class of errors that a user can cause and can fix."""


class CdkdError(Exception):
    """Its text names the file, the key and the remedy; the command line prints it without a traceback."""
