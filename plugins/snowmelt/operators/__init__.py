"""Operators act once, idempotently, and leave the waiting to a trigger."""
