"""The dashboard: one page at /, made of the files in this folder, which the browser loads as they are. No Python.

index.html      the frame: navigation, search, the symbols of all icons; the four style sheets paint it
app.js          starts; routes by the hash (#/jobs), focus, titles. Its comment says how a page is added
bar.js keys.js  what stands around each page, and the keys that work on all of them
signin.js       whose key it is, and the key's way from tab to tab
search.js       the search field's words as parameters of the list
api.js live.js  requests, and the stream of queues, to the public API alone
kit.js          elements, icons, words for numbers and times; charts.js; json.js, JSON that keeps its digits
form.js         a form of fields from a JSON Schema, which schema.js reads, and the same as JSON
waterfall.js    a request's spans on one axis of time; actions.js, dialogs that change jobs, with their curl
graph.js        where the jobs of a workflow lie in its picture, and which of them are one node
pages/          a page a file, loaded when it is first seen: overview.js is #/

api/dashboard.py serves them. tests/unit/test_dashboard_files.py holds what they may not do, tests/browser what they do.
"""
