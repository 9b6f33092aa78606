"""The policy language (language.py, job_language.py) and its parser (parser.py)."""
