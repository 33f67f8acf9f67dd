"""`make pictures`: the pictures of the README and of prod/pictures, taken of a live Waybill.

    python -m tests.pictures                  an hour, so that the charts of an hour are full
    python -m tests.pictures --minutes 2      a quick look at them all

1. stage.py starts a Redis, a server, a worker, an SMTP server and a receiver of webhooks, each a real one.
2. The mail of the story is put off once by the SMTP server: its first attempt fails, its second one sends it. What both
   consoles and both log files say of it is painted as it stands there (terminal.py).
3. traffic.py sends the shop's jobs (shop.py) for the minutes that are left; then the dashboard is photographed.

Nothing is drawn, and no line is edited: what a picture shows has happened.
"""
