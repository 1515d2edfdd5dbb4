"""The kinds of rules: each module turns one kind and its samples into a recommendation, and nothing else.

To add a kind: its frozen type in `core/policy.py`, a module here with `recommend(rule, view)`, and its row in
`engine.RULES`.
"""
