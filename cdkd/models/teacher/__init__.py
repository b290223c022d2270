"""The raw-domain network: alone, frozen, or several as one."""
