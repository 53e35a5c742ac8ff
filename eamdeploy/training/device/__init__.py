"""How training uses the machine: processes, precision, memory layout, compilation."""
