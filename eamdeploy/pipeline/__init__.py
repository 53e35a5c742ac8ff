"""How artifacts are made: export, quantize, budget, fine-tuning, and the demonstration of the whole path."""
