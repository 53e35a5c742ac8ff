"""From anybody's ``torch.nn.Module`` to a program whose dynamic convolutions are mixed convolutions.

``trace`` exports the module at two batch sizes, ``multilinear`` finds how a kernel is mixed, ``recognise`` rewrites the
graph, ``proof`` compares the two in float64.
"""
