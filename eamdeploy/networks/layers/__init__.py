"""The layers that the networks are made of: dynamic convolution, its attention, and the blocks around them."""
