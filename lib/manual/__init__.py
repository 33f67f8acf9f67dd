"""What people read in a browser: the problems explained, and the contract. Text in, HTML out; pure."""
