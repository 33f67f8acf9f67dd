"""The pages that people read in a browser: problems explained, and the contract. Text in, HTML out; pure.

/problems/…   problem_page.py makes a page of a row of problem_texts.py
/docs         docs_page.py makes one page of openapi.yaml (yaml_subset.py reads it), with schemas by schema_page.py

prose.py turns text into HTML, and shell.py puts head, navigation and style around it. api/manual.py answers with them.
"""
