"""Uses a network or an artifact: evaluate it on labelled images, predict the classes of pictures."""
