"""Every way in which bytes from a peer can be bad: one class, one sentence each."""

from __future__ import annotations


class WireError(Exception):
    """Bytes from the other side that cannot be used; the text is a sentence for the log."""


class TooLongError(WireError):
    """A message or one of its fields is longer than its cap."""


class TruncatedError(WireError):
    """The bytes end before the message does."""


class VersionError(WireError):
    """The bytes follow another version of the protocol."""


class KindError(WireError):
    """A frame packet of a kind this version does not have."""


class EntropyError(WireError):
    """The entropy-coded part is not what any encoder writes."""


class RangeError(WireError):
    """The numbers decode, but no face a camera can see has them."""


class StaleKeyError(WireError):
    """A difference packet whose key frame never arrived."""


class DuplicateError(WireError):
    """A frame packet that was already received: a duplicate or a replay."""


class TooOldError(WireError):
    """A frame packet from before the window in which late packets are taken."""


class NotMsgpackError(WireError):
    """A session message that is not one msgpack map with text keys."""


class UnknownTypeError(WireError):
    """A session message of a type this version does not have."""


class MissingFieldError(WireError):
    """A session message without one of its fields."""


class ExtraFieldError(WireError):
    """A session message with a field that its type does not have."""


class FieldTypeError(WireError):
    """A field of a session message holds the wrong type."""


class FieldValueError(WireError):
    """A field of a session message holds a value it cannot have."""


class UnexpectedError(WireError):
    """A well-formed session message at a point of the call where it has no place."""
