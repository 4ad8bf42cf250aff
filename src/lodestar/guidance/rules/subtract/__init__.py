"""Rules that push away from another prediction: guided = base + (scale - 1) (base - other)."""
