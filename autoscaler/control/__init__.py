"""The daemon's work: poll, decide, act once, look what became of it. Talks to the outside only through `ports`."""
