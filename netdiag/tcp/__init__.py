"""Bytes -> facts: parsing, tracker, flows, RESP, phases, captures.

No clock, and no I/O but reading a capture file.
"""
