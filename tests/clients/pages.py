"""Reads pages of Markdown as GitHub does, and prints as JSON what elements each is made of."""

import json
import sys
from html.parser import HTMLParser

from cmarkgfm import github_flavored_markdown_to_html
from cmarkgfm.cmark import Options


class Elements(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append([tag, sorted(name for name, _ in attrs)])


pages = {}
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        # HTML stays, so that it would be seen here.
        html = github_flavored_markdown_to_html(file.read(), Options.CMARK_OPT_UNSAFE)
    elements = Elements()
    elements.feed(html)
    pages[path] = elements.seen
print(json.dumps(pages))
