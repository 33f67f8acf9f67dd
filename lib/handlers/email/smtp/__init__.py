"""SMTP as a client: a session is dialled and logged in to (dial.py, login.py, token.py), letters go through it
(session.py over smtp_wire.py), and each of the server's answers becomes a verdict on the mail (verdicts.py)."""
