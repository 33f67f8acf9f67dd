"""The log: a fact from any room in, a JSON object a line in logs/*.log and a short text on the console out.

log.py        what is logged: events, levels, fields, the lines that wait to be written
log_lines.py  how a line is put into words, so that nothing in it could forge another line
log_file.py   where lines go: files that several processes append to and rotate, and the console
"""
