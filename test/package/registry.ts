/** A registry for package managers: the packages of this version, as if they were published, and all others from upstream. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PLATFORMS } from '../../lib/places.js';
import { mainManifest, platformManifest } from '../../scripts/pack/manifest.js';

export interface Registry extends AsyncDisposable {
  readonly url: string;
}

/** @param tarballs Folder of those that were made; of the others a registry has only the manifests. */
export async function startRegistry(tarballs: string, upstream: string): Promise<Registry> {
  const manifests = [
    { name: 'cortado', ...mainManifest() },
    ...Object.keys(PLATFORMS).map((name) => platformManifest(`@cortado/${name}`, name, '', ['cortado.node'])),
  ];
  const server = createServer((request, response) => {
    const name = decodeURIComponent(request.url!).slice(1);
    const manifest = manifests.find((one) => one.name === name);
    if (manifest) return response.writeHead(200, JSON_TYPE).end(JSON.stringify(document(manifest, tarballs, urlOf())));
    if (!name.startsWith(TARBALLS))
      return response.writeHead(302, { location: new URL(request.url!, upstream).href }).end();
    const file = join(tarballs, name.slice(TARBALLS.length));
    if (!existsSync(file)) return response.writeHead(404).end();
    return createReadStream(file).pipe(response);
  });
  const urlOf = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: urlOf(), [Symbol.asyncDispose]: close };
}

const TARBALLS = 'tarballs/';
const JSON_TYPE = { 'content-type': 'application/json' };

type Manifest = ReturnType<typeof mainManifest>;

/** What registries answer for a package: github.com/npm/registry/blob/main/docs/responses/package-metadata.md */
function document(manifest: Manifest, tarballs: string, url: string): object {
  const { version } = manifest;
  const name = String(manifest.name);
  const file = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`;
  const path = join(tarballs, file);
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.from('made elsewhere');
  const dist = {
    tarball: `${url}${TARBALLS}${file}`,
    integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    shasum: createHash('sha1').update(bytes).digest('hex'),
  };
  return {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, dist } },
    time: {},
  };
}
