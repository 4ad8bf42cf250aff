"""Rules around a rule that say where in the noise it acts."""
