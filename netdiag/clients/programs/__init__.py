"""The programs under test that ship; each keeps the contract of `netdiag.clients`."""
