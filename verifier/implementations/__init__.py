"""What is under test: the protocol, the registry by name, and the built-in adapters."""

from verifier.implementations.base import Backup, Endpoint, Implementation
from verifier.implementations.registry import implementation, kinds, names

__all__ = ["Backup", "Endpoint", "Implementation", "implementation", "kinds", "names"]
