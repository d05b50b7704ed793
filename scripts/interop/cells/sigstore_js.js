// sigstore-js judges a bundle: sigstore_js.js TRUSTED_ROOT BUNDLE ARTIFACT IDENTITY ISSUER
'use strict';
const fs = require('fs');
const { Verifier, toTrustMaterial, toSignedEntity } = require('@sigstore/verify');
const { bundleFromJSON } = require('@sigstore/bundle');
const { TrustedRoot } = require('@sigstore/protobuf-specs');

const [trustedRoot, bundle, artifact, identity, issuer] = process.argv.slice(2);
const json = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const thresholds = { ctlogThreshold: 1, tlogThreshold: 1, tsaThreshold: 0, timestampThreshold: 1 };
const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(json(trustedRoot))), thresholds);
const entity = toSignedEntity(bundleFromJSON(json(bundle)), fs.readFileSync(artifact));
const signer = verifier.verify(entity, { subjectAlternativeName: identity, extensions: { issuer } });
console.log('sigstore-js accepts', signer.identity.subjectAlternativeName);
