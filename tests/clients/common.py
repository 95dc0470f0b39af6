"""What the programs share: where the server is (its CA is in REQUESTS_CA_BUNDLE). Tokens are told to the test, which looks for them in the server's log."""

import os

HTTPS = f"https://localhost:{os.environ['FICHA_HTTPS']}"
HTTP = f"http://localhost:{os.environ['FICHA_HTTP']}"
API = f"https://localhost:{os.environ['FICHA_API']}"


def note(token):
    for name in ("access_token", "refresh_token"):
        if name in token:
            print("secret", token[name])
    return token


def refused(call, error):
    """`call` must fail with that OAuth error."""
    from authlib.integrations.base_client import OAuthError

    try:
        call()
    except OAuthError as e:
        assert e.error == error, (e.error, e.description)
        return e.description
    raise AssertionError(f"it was not refused: {error} was expected")
