"""Loads the plugins; nothing else."""

pytest_plugins = ["verifier.plugin", "fixtures.plugin"]
