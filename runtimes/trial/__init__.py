"""Files from elsewhere are loaded and run in a process of their own; see :mod:`runtimes.trial.session`."""
