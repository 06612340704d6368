"""How to tell a report, one file a format. Renderers see reports and nothing else."""
