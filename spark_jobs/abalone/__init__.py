"""The Spark job of abalone.csv; a package with this file, since only such a one is whole in a zip (Python 3.12, importlib.resources)."""
