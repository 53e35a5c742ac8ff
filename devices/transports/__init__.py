"""Ways to reach a board: this machine, SSH, or an emulated board behind SSH."""
