"""How much of a change each thing that moved caused: hybrids of two results, run and measured."""
