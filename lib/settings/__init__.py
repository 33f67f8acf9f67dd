"""The settings of both programs: environment and env files in, one frozen `Settings` out.

settings_table.py   every setting: a row with its name, default, meaning and parser, and its type in `Settings`
config.py           reads the environment and the env files, and reports every fault
kinds.py            the parsers: a number of seconds, a URL, a list of names
api_keys.py         the entries of API_KEYS, and how a key is made
needs.py            which Python Waybill takes; looked at before anything else is imported
"""
