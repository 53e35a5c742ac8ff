"""Other people's networks, as tests need them."""
