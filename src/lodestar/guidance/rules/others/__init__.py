"""Rules of no other family."""
