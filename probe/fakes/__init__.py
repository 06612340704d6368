"""Servers that say what a scenario tells them, on loopback only."""
