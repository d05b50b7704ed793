"""Fetches an ID token as a person does, without a browser: login.py ISSUER LOGIN

The authorisation code flow with PKCE (RFC 7636) at an issuer of the stack: opens the page, fills its forms in as LOGIN,
takes the code from the redirect that a browser would follow to the program's own port, and exchanges it. Prints the token.
"""

import base64
import hashlib
import html
import http.cookiejar
import json
import re
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request

CLIENT_ID = "sigstore"
CALLBACK = "http://localhost/auth/callback"
# Login, consent, and the redirects between them; more would be a circle.
MAX_STEPS = 16


class KeepRedirects(urllib.request.HTTPRedirectHandler):
    """Hands redirects back instead of following them: the last one leads to a port where nobody listens."""

    def redirect_request(self, *_):
        return None


def form_of(page: str, url: str, login: str) -> tuple[str, bytes]:
    """The one form of a page, filled in: where it is posted to, and what."""
    for form in re.findall(r"<form[^>]*>", page):
        if 'method="post"' in form:
            break
    else:
        raise SystemExit(f"login: no form on the page at {url}: {re.sub('<[^>]+>', ' ', page)[:300]}")
    fields = {}
    for field in re.findall(r"<input[^>]*>", page):
        name = re.search(r'name="([^"]*)"', field)
        value = re.search(r'value="([^"]*)"', field)
        if name:
            fields[name[1]] = html.unescape(value[1]) if value else ""
    if "login" in fields:
        fields |= {"login": login, "password": "any"}
    action = urllib.parse.urljoin(url, html.unescape(re.search(r'action="([^"]*)"', form)[1]))
    return action, urllib.parse.urlencode(fields).encode()


def authorisation_code(url: str, login: str) -> str:
    """Plays the person until the issuer redirects to the program's callback."""
    browser = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), KeepRedirects()
    )
    body = None
    for _ in range(MAX_STEPS):
        try:
            with browser.open(url, body, timeout=20) as answer:
                url, body = form_of(answer.read().decode(), url, login)
        except urllib.error.HTTPError as answer:
            if answer.code not in (302, 303):
                raise SystemExit(f"login: {url} answered {answer.code}: {answer.read().decode()[:300]}") from None
            url, body = urllib.parse.urljoin(url, answer.headers["Location"]), None
            if url.startswith(CALLBACK):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
                if "code" not in query:
                    raise SystemExit(f"login: the issuer refused: {query}")
                return query["code"][0]
    raise SystemExit("login: the issuer's pages lead in a circle")


def main() -> None:
    issuer, login = sys.argv[1:]
    with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration", timeout=20) as answer:
        endpoints = json.load(answer)
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    scope = " ".join(name for name in ("openid", "email") if name in endpoints["scopes_supported"])
    query = {
        "response_type": "code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK, "scope": scope,
        "state": secrets.token_urlsafe(16), "nonce": secrets.token_urlsafe(16),
        "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    code = authorisation_code(f"{endpoints['authorization_endpoint']}?{urllib.parse.urlencode(query)}", login)
    exchange = {
        "grant_type": "authorization_code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK, "code": code,
        "code_verifier": verifier,
    }  # fmt: skip
    with urllib.request.urlopen(
        endpoints["token_endpoint"], urllib.parse.urlencode(exchange).encode(), timeout=20
    ) as answer:
        print(json.load(answer)["id_token"])


if __name__ == "__main__":
    main()
