// sigstore-js reads the sandbox's TUF repository and judges with what it found there that the services are one's own:
// sigstore_js_tuf.js MIRROR ROOT CACHE
'use strict';
const { getTrustedRoot } = require('@sigstore/tuf');

const [mirrorURL, rootPath, cachePath] = process.argv.slice(2);
getTrustedRoot({ mirrorURL, rootPath, cachePath, force: true, forceInit: true }).then(
  (root) => {
    if (root.tlogs.length === 0 || root.certificateAuthorities.length === 0) throw new Error('an empty trusted root');
    console.log('trusted root with', root.tlogs.length, 'logs');
  },
).catch((error) => { console.error(error); process.exit(1); });
