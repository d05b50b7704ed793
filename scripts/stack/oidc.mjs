// The OpenID provider of the stack: oidc-provider, a certified one, as two issuers: oidc.mjs KEYS EMAIL_PORT URI_PORT
//
// Whoever logs in at the first is an e-mail address; at the second a build on a CI service, named by the address of its
// workflow: https://ci.example.com/OWNER/REPOSITORY/PATH@REF. Any password does: the pages are the provider's own for
// development, and everything listens on loopback alone.
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// An ES module is not looked for along NODE_PATH; the cache in which the package lies is known by that.
const { Provider } = await import(pathToFileURL(createRequire(import.meta.url).resolve('oidc-provider')));

const [keys, emailPort, uriPort] = process.argv.slice(2);
// One token lasts for a day's work; those of the public instance live for minutes.
const TOKEN_SECONDS = 12 * 3600;
const MINUTES = 600;

const emailClaims = (email) => ({ sub: email, email, email_verified: true });

function uriClaims(uri) {
  const parts = /^(https:\/\/[^/]+)\/([^/@]+)\/([^/@]+)\/([^@]+)@(.+)$/.exec(uri);
  if (!parts) throw new Error(`not the address of a workflow: ${uri}`);
  const [, server, owner, name, , ref] = parts;
  return {
    sub: uri, workflow_uri: uri, server, repository: `${owner}/${name}`, ref, repository_owner: owner,
    repository_id: '101', repository_owner_id: '11', repository_visibility: 'public',
    sha: 'da39a3ee5e6b4b0d3255bfef95601890afd80709', event_name: 'push', runner_environment: 'self-hosted', run_id: '7',
  };
}

function serve(port, claimsOf, claimNames, scopes) {
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'sigstore',
      // A program on the user's own machine: no secret, any port of loopback.
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://localhost/auth/callback', 'http://127.0.0.1/auth/callback'],
      response_types: ['code'],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    }],
    jwks: JSON.parse(fs.readFileSync(keys, 'utf8')),
    scopes: ['openid', 'offline_access', ...scopes],
    claims: claimNames,
    // Into the ID token itself, not only to the userinfo endpoint.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true }, revocation: { enabled: true } },
    findAccount: (_context, id) => ({ accountId: id, claims: () => claimsOf(id) }),
    issueRefreshToken: async (_context, client, code) =>
      client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    ttl: {
      IdToken: TOKEN_SECONDS, AccessToken: MINUTES, AuthorizationCode: 60, DeviceCode: MINUTES, Grant: MINUTES,
      Interaction: MINUTES, RefreshToken: TOKEN_SECONDS, Session: MINUTES,
    },
    cookies: { keys: ['stack'] },
  });
  provider.on('server_error', (_context, error) => console.error(issuer, error));
  provider.on('authorization.error', (_context, error) => console.error(issuer, error));
  http.createServer(provider.callback()).listen(Number(port), '127.0.0.1', () => console.log('issuer', issuer));
}

serve(emailPort, emailClaims, { openid: ['sub'], email: ['email', 'email_verified'] }, ['email']);
serve(uriPort, uriClaims, { openid: Object.keys(uriClaims('https://ci.example.com/o/r/w@refs/heads/main')) }, []);
