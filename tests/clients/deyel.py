"""Authlib as a customer of Deyel uses it: a user's password, then automatic renewal by the refresh token that stays."""

from authlib.integrations.requests_client import OAuth2Session

from common import HTTP, HTTPS, note, refused

for base in (f"{HTTPS}/deyel", f"{HTTP}/deyel", HTTP):
    url, resource = f"{base}/oauth/token", f"{base}/.well-known/jwks.json"
    updates = []
    session = OAuth2Session(
        "DEYELBOT",
        "BOTDEYEL312!",
        token_endpoint=url,
        token_endpoint_auth_method="client_secret_basic",
        update_token=lambda token, refresh_token=None, access_token=None: updates.append((note(token), refresh_token)),
    )
    first = dict(note(session.fetch_token(username="afarias", password="deyel123")))
    assert first["token_type"] == "Bearer" and first["expires_in"] == 86400, first
    for renewals in (1, 2):
        before = session.token["access_token"]
        session.token["expires_at"] = 1
        session.get(resource).raise_for_status()
        assert len(updates) == renewals, updates
        assert session.token["access_token"] != before
        assert session.token["refresh_token"] == first["refresh_token"]

    said = refused(lambda: session.fetch_token(username="nadie", password="deyel123"), "Invalid_request")
    assert said == "Invalid client_id", said
print("done")
