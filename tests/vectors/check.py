"""Says of every vector whether the program of docs/verifiers.md accepts its token."""
import base64
import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
from access_tokens import AccessTokens, dead_by  # noqa: E402

folder = Path(sys.argv[2])
setups = json.loads((folder / "verifiers.json").read_text())["verifiers"]


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


for name in ("algorithms", "structure", "claims", "kinds", "revocations"):
    for case in json.loads((folder / f"{name}.json").read_text())["cases"]:
        setup = setups[case["verifier"]]
        tokens = AccessTokens(
            setup["issuer"], setup["audience"], setup["algorithms"], keys=setup.get("keys"),
            secrets=[decoded(secret) for secret in setup.get("secrets", ())], leeway=setup["leeway"],
            only_at_jwt=setup["only_at_jwt"], sender_bound=setup["sender_bound"],
            dead=dead_by(setup.get("revoked", ())), now=lambda: case["at"],
        )
        print("accepts" if tokens.authenticate_token(case["token"]) is not None else "refuses", case["name"], sep="\t")
