"""Authlib as a customer of LeanCore uses it: client credentials, then automatic renewal by the refresh token."""

from authlib.integrations.requests_client import OAuth2Session

from common import HTTPS, note, refused

URL = f"{HTTPS}/leancore/oauth2/token"
RESOURCE = f"{HTTPS}/leancore/.well-known/jwks.json"

updates = []
session = OAuth2Session(
    "username",
    "password",
    token_endpoint=URL,
    token_endpoint_auth_method="client_secret_basic",
    grant_type="client_credentials",
    update_token=lambda token, refresh_token=None, access_token=None: updates.append((note(token), refresh_token)),
)
first = dict(note(session.fetch_token()))
assert first["token_type"] == "Bearer" and first["expires_in"] == 3600, first

# A token that lives is used as it is.
session.get(RESOURCE).raise_for_status()
assert session.token["access_token"] == first["access_token"] and not updates

# One that has expired is renewed by itself, again and again: each refresh token gives its successor.
for renewals in (1, 2, 3):
    before = dict(session.token)
    session.token["expires_at"] = 1
    session.get(RESOURCE).raise_for_status()
    assert len(updates) == renewals, updates
    token, spent = updates[-1]
    assert spent == before["refresh_token"] != token["refresh_token"]
    assert token["access_token"] == session.token["access_token"] != before["access_token"]

# A replay of the first one is refused, and ends the family.
last = session.token["refresh_token"]
refused(lambda: session.refresh_token(URL, refresh_token=first["refresh_token"]), "invalid_grant")
refused(lambda: session.refresh_token(URL, refresh_token=last), "invalid_grant")

stranger = OAuth2Session("username", "wrong", token_endpoint_auth_method="client_secret_basic")
said = refused(lambda: stranger.fetch_token(URL, grant_type="client_credentials"), "invalid_client")
assert said == "The client credentials are invalid.", said
print("done")
