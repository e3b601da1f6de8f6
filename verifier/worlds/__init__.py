"""Worlds of :mod:`verifier.model` on real servers, written, restored and read back quickly."""
