"""How a finding is put together."""
