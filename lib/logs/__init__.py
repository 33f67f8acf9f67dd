"""The log: any room logs a fact; it becomes a JSON object a line in logs/*.log, and a short text on the console.

log.py          what rooms call: Log with its levels and fields, and the bridge from Python's own `logging`
log_lines.py    how a fact becomes a line, and why nothing in a line can forge another line
forms.py        the five lines that every request and every job writes, ready-made
line_buffer.py  lines that wait to be written, and when they are
log_output.py   where a batch of lines goes, and what happens to lines that the file does not take
log_file.py     the file, which several processes append to and rotate
console.py      the terminal, pipe or journal behind stderr, which is never waited for
"""
