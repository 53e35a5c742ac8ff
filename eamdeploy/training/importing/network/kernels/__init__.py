"""Finds how each kernel is computed: banks, mixing weights and what is done to them."""
