"""netdiag: what long-lived TCP clients do when the network fails.

Importing this package does nothing; every part is imported where it is used.
"""

__version__ = "0.1.0"
