"""A runner: the process in which handlers run. It claims jobs, runs them in lanes, and sends back how each ended."""
