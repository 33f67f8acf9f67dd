"""What a person types: `server.py --new-key`, `server.py --doctor`, `worker.py --doctor`. No service runs in here."""
