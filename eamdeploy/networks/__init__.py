"""MobileNets whose every convolution is static, DyNet or EAM-DyNet, as plain PyTorch modules."""
