"""Figures, each beside something measured in the same run; they stand in build/bench/*.json."""
