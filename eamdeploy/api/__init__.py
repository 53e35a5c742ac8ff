"""The functions behind ``import eamdeploy``: each command of the command line calls exactly one of them."""
