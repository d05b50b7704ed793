// sigstore-js signs a file: sigstore_js_sign.js SIGNING_CONFIG FILE BUNDLE, the token in SIGSTORE_ID_TOKEN
'use strict';
const fs = require('fs');
const { bundleBuilderFromSigningConfig } = require('@sigstore/sign');
const { bundleToJSON } = require('@sigstore/bundle');
const { SigningConfig } = require('@sigstore/protobuf-specs');

const [config, file, bundle] = process.argv.slice(2);
const builder = bundleBuilderFromSigningConfig({
  signingConfig: SigningConfig.fromJSON(JSON.parse(fs.readFileSync(config, 'utf8'))),
  identityProvider: { getToken: async () => process.env.SIGSTORE_ID_TOKEN },
  bundleType: 'messageSignature',
});
builder.create({ data: fs.readFileSync(file) })
  .then((signed) => fs.writeFileSync(bundle, JSON.stringify(bundleToJSON(signed))))
  .catch((error) => { console.error(error); process.exit(1); });
