"""The end of a stack, so that nothing of it is left and nothing of anybody else's is touched."""
