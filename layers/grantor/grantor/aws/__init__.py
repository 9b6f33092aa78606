"""The only room that talks to AWS; one service a file."""
