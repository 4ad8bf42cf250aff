"""Rules around a rule that change what it gives: its size, its range, its direction."""
