"""Errors that are the user's to mend: the command lines print them as one line, without a traceback."""


class InputError(ValueError):
    """Bad input. The message is one line: the file, what was expected, what was received."""
