"""Readers of the layouts in which image data sets come: folders, CIFAR, IDX."""
