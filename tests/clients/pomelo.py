"""Requests as a customer of Pomelo uses it: JSON, the same token until it is revoked, calls of the API with it."""

import requests

from common import API, HTTPS, note

BODY = {
    "client_id": "3LBFuOiEHrl4BailkRlsnIMmSctMLb7A",
    "client_secret": "s5u3oYK0-A9CV6TkszPQThUa_qxMfr2yyd3-eJwQ",
    "audience": "https://auth-dev.pomelo.la",
    "grant_type": "client_credentials",
}
http = requests.Session()


def post(path, body=BODY):
    return http.post(f"{HTTPS}/pomelo{path}", json=body)


def card(token):
    return http.get(f"{API}/cards/crd-1", headers={"Authorization": f"Bearer {token}"})


answer = post("/oauth/token")
answer.raise_for_status()
first = note(answer.json())
assert list(first) == ["access_token", "scope", "expires_in", "token_type"], list(first)
assert post("/oauth/token").json()["access_token"] == first["access_token"]
assert post("/oauth/v1/token").json()["access_token"] == first["access_token"]

assert card(first["access_token"]).json()["data"]["id"] == "crd-1"
refused = card(first["access_token"] + "x")
assert refused.status_code == 401 and 'error="invalid_token"' in refused.headers["WWW-Authenticate"], refused.headers
nobody = http.get(f"{API}/cards/crd-1")
assert nobody.status_code == 401 and "error=" not in nobody.headers["WWW-Authenticate"], nobody.headers

narrow = note(post("/oauth/token", {**BODY, "scope": "arg:users:get-user"}).json())
refused = card(narrow["access_token"])
assert refused.status_code == 403, refused.status_code
assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"], refused.headers
assert "arg:cards:get-card" in refused.headers["WWW-Authenticate"], refused.headers

assert post("/oauth/token/revoke").json() == {"status": "Success"}
second = note(post("/oauth/token").json())
assert second["access_token"] != first["access_token"]
assert card(second["access_token"]).status_code == 200

wrong = post("/oauth/token", {**BODY, "client_secret": "wrong"})
assert (wrong.status_code, wrong.json()) == (401, {"error": "access_denied", "error_description": "Unauthorized"})
print("done")
