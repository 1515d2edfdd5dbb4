"""YAML files as trees of values that know where they stand; what is wrong with them as problems with a place."""
