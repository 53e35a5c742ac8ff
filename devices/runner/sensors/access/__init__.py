"""How a sensor gets at what it reads: a file of the kernel, a tool, the processors that ran."""
