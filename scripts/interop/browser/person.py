"""A person in front of a browser, without the browser: person.py LOGIN|--abort SHOTS URL [USER_CODE]

The same as person.mjs in a fraction of its time, over plain HTTP: cookies, forms, redirects, up to the page on which they
end. Leaves its words in SHOTS/page.txt. With --abort the person cancels.
"""

import html
import http.cookiejar
import pathlib
import re
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent.parent / "stack"))
from login import form_of  # noqa: E402

# Code, confirmation, login, consent; more would be a circle.
MAX_PAGES = 8

login, shots, url, *user_code = sys.argv[1:]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
answer = browser.open(url, timeout=20)
page = answer.read().decode()
for _ in range(MAX_PAGES):
    if 'method="post"' not in page:
        break
    abort = re.search(r'href="([^"]*/abort)"', page)
    if login == "--abort" and abort:
        answer = browser.open(urllib.parse.urljoin(answer.url, html.unescape(abort[1])), timeout=20)
        page = answer.read().decode()
        continue
    url, body = form_of(page, answer.url, login)
    if user_code and b"user_code=" in body:
        body = re.sub(rb"user_code=[^&]*", b"user_code=" + user_code[0].encode(), body)
    answer = browser.open(url, body, timeout=20)
    page = answer.read().decode()
folder = pathlib.Path(shots)
folder.mkdir(parents=True, exist_ok=True)
text = re.sub(r"(?s)<(style|script|title)[^>]*>.*?</\1>", "", page).replace("<wbr>", "")
(folder / "page.txt").write_text(re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", text)))
