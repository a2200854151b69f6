"""What was decided about a release, signed, logged and checkable with nothing heavier than ``cryptography`` (I-2)."""
