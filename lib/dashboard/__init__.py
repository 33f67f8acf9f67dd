"""The dashboard: one page at /, made of the files in this folder, which the browser loads as they are. No Python.

index.html      the frame: navigation, search, the symbols of all icons; style.css and pages.css paint it
app.js          starts; routes by the hash (#/jobs), focus, keys, themes. Its comment says how a page is added
signin.js       whose key it is, and the key's way from tab to tab
api.js live.js  requests, and the stream of queues, to the public API alone
kit.js charts.js json.js                elements, icons, words for numbers and times; pictures; JSON that keeps its digits
pages/          a page a file, loaded when it is first seen: overview.js is #/

api/dashboard.py serves them. tests/unit/test_dashboard_files.py holds what they may not do, tests/browser what they do.
"""
