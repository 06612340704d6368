"""The benchmark: `python -m tests.bench` measures this project and every peer that is installed, in turn."""
