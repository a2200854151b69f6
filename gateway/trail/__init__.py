"""What has a custodian released and refused, who said what about it, and does all of it still hold?"""

from gateway.trail.reading import Kept, find, read_workspace
from gateway.trail.wanted import Wanted

__all__ = ["Kept", "Wanted", "find", "read_workspace"]
