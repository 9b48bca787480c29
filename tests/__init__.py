"""The specification of the gateway, as tests."""
