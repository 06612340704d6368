"""The verbs: each gathers facts through `wire`, has them judged, and returns a `Report`."""
