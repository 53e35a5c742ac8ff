"""A network as data: instructions over plain layers, rebuilt from a checkpoint without the code that once defined it."""
