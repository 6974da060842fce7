"""The lab's real parts: each module knows how one of them is set up, started and found ready."""
