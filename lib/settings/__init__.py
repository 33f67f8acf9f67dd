"""The settings of both programs: environment and env files in, one frozen `Settings` out.

config.py    the table of settings, and what reads it
kinds.py     what the value of one setting may be: a number of seconds, a URL, a list of names
api_keys.py  what API_KEYS holds, and how a key is made
needs.py     which Python Waybill takes; looked at before anything else is imported
"""
