// An OpenID provider for a test: whoever types an address is that address. It is told
// by its environment what it is, and says so in one line once it listens.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const { ISSUER, PORT, CLIENTS, ACCESS_SECONDS, INSTALLED } = process.env;
const found = createRequire(INSTALLED + '/').resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(found));

const provider = new Provider(ISSUER, {
  clients: JSON.parse(CLIENTS),
  cookies: { keys: ['of a test'] },
  scopes: ['openid', 'email', 'offline_access', 'mail'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  pkce: { required: () => true, methods: ['S256'] },
  rotateRefreshToken: true,
  extraTokenClaims: (ctx, token) => ({ username: token.accountId }),
  ttl: { AccessToken: Number(ACCESS_SECONDS) },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: id, email_verified: true }) }),
});
provider.listen(Number(PORT), '127.0.0.1', () => console.log('listening'));
