#!/usr/bin/env python3
"""Follows an issuer's revocation feed and says what it hears. The format: docs/revocation-feed.md.

    pip install requests cryptography
    FICHA_SECRET=fas_... python3 follower.py https://localhost:8443/pomelo cards https://auth-dev.pomelo.la

For `ficha dev`: REQUESTS_CA_BUNDLE=./ficha-dev/ca.pem. A program asks `refuses(claims, kid)` for each token whose signature is good.
"""

import base64, json, os, sys, threading, time

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TYP = "ficha-revocations+jwt"
NAMES = ("token", "family", "client", "user", "issuer", "key")
SILENCE_S = 5  # Something comes every second.
CLOCKS_S = 30  # How far the server's clock and ours may be apart.
LATE_S = 3  # How late a stream may be that still counts as fresh.
LONGEST = 64 * 1024  # Bytes of an event.


class Broken(Exception):
    """The stream can't be believed: come back with the number that is known."""


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def get(url):
    found = requests.get(url, timeout=10)
    found.raise_for_status()
    return found.json()


class Follower:
    def __init__(self, issuer, api, secret, audience):
        self.issuer, self.audience, self.auth = issuer, audience, (api, secret)
        self.dead = {}  # ("token", jti) -> until; ("client", id) -> not_before; ..
        self.known = None  # The number of the last change that is known.
        self.confirmed = None  # When that was the last one, by the clock that never goes back.
        self.keys, self.keys_at, self.lock = {}, float("-inf"), threading.Lock()
        self.heard = lambda event: None
        found = get(f"{issuer}/.well-known/oauth-authorization-server")
        if found["issuer"] != issuer:
            raise SystemExit("the metadata are those of another issuer")
        self.feed, self.key_set = found["revocation_feed_endpoint"], found["revocation_feed_jwks_uri"]

    def is_fresh(self):
        return self.confirmed is not None and time.monotonic() - self.confirmed <= LATE_S

    def refuses(self, claims, kid=None):
        """Why a token whose signature is good is dead, as far as is known; ask `is_fresh` too."""
        jti = claims["jti"]
        with self.lock:
            for what in (("token", jti), ("family", jti[:22] if len(jti) > 22 else None), ("key", kid)):
                if what in self.dead:
                    return what
            for what in (("client", claims.get("client_id")), ("user", claims.get("sub")), ("issuer", True)):
                if claims["iat"] <= self.dead.get(what, -1):
                    return what
        return None

    def run(self):
        """Follows for ever."""
        wait = 1.0
        while True:
            try:
                wait = self.follow() or wait
            except (Broken, requests.RequestException) as why:
                print(f"the feed broke off: {why}", file=sys.stderr)
            time.sleep(wait)

    def follow(self):
        """One connection, to its end; how long to wait then."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": None if self.known is None else str(self.known)}
        answer = requests.get(self.feed, auth=self.auth, headers=headers, stream=True, timeout=(10, SILENCE_S))
        with answer:
            answer.raise_for_status()
            retry, offset, part, line = None, None, 0, b""
            for piece in answer.iter_content(chunk_size=None):
                *lines, line = (line + piece).split(b"\n")
                if len(line) > LONGEST + 64:
                    raise Broken("a line without end")
                for whole in lines:
                    if whole.startswith(b"retry: "):
                        retry = int(whole[7:]) / 1000
                    elif whole.startswith(b"data: "):
                        event = self.read(whole[6:].decode())
                        late = time.time() - event["at"] / 1000
                        if offset is None:
                            if abs(late) > CLOCKS_S:
                                raise Broken("the clocks are too far apart, or the stream is an old one")
                            offset = time.monotonic() - event["at"] / 1000
                        part = self.take(event, part, time.monotonic() - event["at"] / 1000 - offset)
            return retry

    def read(self, jws):
        """The payload of an event whose signature, type and address are right."""
        head, payload, signature = jws.split(".")
        header = json.loads(unbase64(head))
        if header.get("alg") != "EdDSA" or header.get("typ") != TYP:
            raise Broken("that is no event of a feed")
        try:
            self.key(header["kid"]).verify(unbase64(signature), f"{head}.{payload}".encode())
        except InvalidSignature:
            raise Broken("the signature is wrong") from None
        event = json.loads(unbase64(payload))
        if event["iss"] != self.issuer or event["aud"] != self.audience:
            raise Broken("the event is for somebody else")
        return event

    def key(self, kid):
        if kid not in self.keys and time.monotonic() - self.keys_at > 5:
            self.keys_at = time.monotonic()
            keys = [key for key in get(self.key_set)["keys"] if key.get("crv") == "Ed25519"]
            self.keys = {key["kid"]: Ed25519PublicKey.from_public_bytes(unbase64(key["x"])) for key in keys}
        if kid not in self.keys:
            raise Broken("no key of the feed has that kid")
        return self.keys[kid]

    def take(self, event, part, late):
        """Holds an event against what is known; the part of a snapshot that is under way, else 0."""
        if event["kind"] == "snapshot":
            if event["from"] != 0 or event["part"] != part + 1:
                raise Broken("a part of the snapshot is missing")
            part = event["part"] % event["parts"]
        elif part or event["from"] != self.known or (event["kind"] == "heartbeat" and event["to"] != self.known):
            raise Broken(f"{event['from']} does not follow {self.known}")
        with self.lock:
            for fact in event["events"]:
                what = next(((name, fact[name]) for name in NAMES if name in fact), None)
                if what is None:
                    raise Broken(f"an event of an unknown kind: {fact}")
                self.dead[what] = max(fact.get("until", fact.get("not_before", 0)), self.dead.get(what, 0))
            now = time.time()
            self.dead = {w: at for w, at in self.dead.items() if at >= now or w[0] not in ("token", "family")}
        if part == 0:
            self.known, self.confirmed = event["to"], time.monotonic() - max(late, 0)
        self.heard(event)
        return part


if __name__ == "__main__":
    follower = Follower(sys.argv[1], sys.argv[2], os.environ["FICHA_SECRET"], sys.argv[3])
    follower.heard = lambda event: print(event["kind"], event["to"], json.dumps(event["events"]), flush=True)
    follower.run()
