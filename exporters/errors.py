"""What can go wrong while exporting.

ExportError
├── SourceError    the weights could not be fetched
├── HashMismatch   they were, and are not what the catalogue says
└── ProofFailed    the export does not compute what its reference does
"""


class ExportError(Exception):
    """The root of this package's errors; its text is for the person at the command line."""


class SourceError(ExportError):
    pass


class HashMismatch(ExportError):
    pass


class ProofFailed(ExportError):
    pass
