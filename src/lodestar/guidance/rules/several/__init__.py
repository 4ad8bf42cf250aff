"""Rules of several conditions."""
