"""The dashboard: one page at /, made of the files in this folder, which the browser loads as they are. No Python.

index.html      the frame: navigation, search, the symbols of all icons; the four style sheets paint it
app.js          starts; routes by the hash (#/jobs), focus, titles. Its comment says how a page is added
frame.js        what each page gets: reading again when something has changed, links, what the key allows
bar.js keys.js  what stands around each page, and the keys that work on all of them
signin.js       whose key it is, and the key's way from tab to tab
search.js       the search field's words as parameters of the list; suggest.js completes them while somebody types
api.js live.js  requests, and the stream of queues, to the public API alone
kit.js          elements, icons, words for numbers and times; charts.js; json.js, JSON that keeps its digits
actions.js      dialogs that change something, each with its curl
form.js         a form of fields from a JSON Schema, which schema.js reads, and the same as JSON
waterfall.js    a request's spans on one axis of time
board.js        the next 24 hours of schedules
graph.js        where the jobs of a workflow lie in its picture, and which of them are one node
pages/          a page a file, loaded when it is first seen: overview.js is #/. job_parts.js and the like are parts of
                pages, by the page's name; ROUTES of app.js names the pages

api/dashboard.py serves them. tests/unit/test_dashboard_files.py holds what they may not do, tests/browser what they do.
"""
