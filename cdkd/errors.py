"""The root of every error that a user can cause and can mend."""


class CdkdError(Exception):
    """Its text names the file, the key and the remedy; the command line prints it without a traceback."""
