"""The command line `grantor`. commands.py lists its commands; the modules implement them."""
