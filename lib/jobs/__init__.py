"""What a job is, as values: its spec, states, payload, result, error and type. Nothing in here does I/O."""
