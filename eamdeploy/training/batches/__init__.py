"""Batches of training images on the device, augmented there."""
