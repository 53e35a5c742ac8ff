"""Runs the network and the artifact on the same images and records outputs and inner tensors."""
