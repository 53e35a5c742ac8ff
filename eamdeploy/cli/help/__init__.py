"""How help is shown: the layout of the screen, the panels of options, and the examples of every command."""
