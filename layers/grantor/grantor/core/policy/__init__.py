"""The policy language: what a file may say (language.py, the one source), and how bytes become a Policy or all that is wrong (file.py)."""
