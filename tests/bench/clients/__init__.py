"""The clients that are measured, each a program of its own: a job as JSON in, a result as JSON out."""
