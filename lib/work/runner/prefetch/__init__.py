"""Jobs of under a millisecond are claimed ahead of a free slot: how many, and whose turn is next."""
