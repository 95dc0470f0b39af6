// Says of every vector whether the program of docs/verifiers.md accepts its token.
import { readFileSync } from 'node:fs'
import { accessTokens, deadBy } from './access_tokens.mjs'

const read = (name) => JSON.parse(readFileSync(`${process.argv[2]}/${name}.json`, 'utf8'))
const { verifiers } = read('verifiers')

for (const file of ['algorithms', 'structure', 'claims', 'kinds', 'revocations']) {
  for (const { name, verifier, at, token } of read(file).cases) {
    const setup = verifiers[verifier]
    const check = accessTokens({
      issuer: setup.issuer,
      audience: setup.audience,
      algorithms: setup.algorithms,
      keys: setup.keys,
      secrets: setup.secrets?.map((secret) => Buffer.from(secret, 'base64url')),
      leeway: setup.leeway,
      onlyAtJwt: setup.only_at_jwt,
      senderBound: setup.sender_bound,
      dead: deadBy(setup.revoked ?? []),
      now: () => new Date(at * 1000),
    })
    const verdict = await check(token).then(() => 'accepts', () => 'refuses')
    console.log(`${verdict}\t${name}`)
  }
}
