"""probe asks mail servers and DNS what a sender needs to know before a launch."""

__version__ = "0.1.0"
