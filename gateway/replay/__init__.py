"""Do the numbers of an old release come out again? Its audit, recomputed from what the custodian holds."""

from gateway.replay.compare import Compared, Gap, Replay
from gateway.replay.replaying import replay_record

__all__ = ["Compared", "Gap", "Replay", "replay_record"]
