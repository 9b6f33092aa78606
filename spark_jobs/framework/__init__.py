"""The Spark job that preprocesses abalone.csv.

This file must exist: importlib.resources (Python 3.12) lists a package in a zip only if the
package has an __init__.py.
"""
