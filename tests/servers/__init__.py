"""Real mail servers on loopback for the tests: private configuration, free ports, no trace outside a folder."""
