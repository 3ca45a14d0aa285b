"""Where runners live, and how gateways reach those that live elsewhere."""
