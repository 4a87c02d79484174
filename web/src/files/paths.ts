/** Paths in a sandbox: always absolute, `/` between the parts. */

/** The repository; what a session is about. */
export const WORKSPACE = '/workspace';

export function join(folder: string, name: string): string {
  return folder.endsWith('/') ? `${folder}${name}` : `${folder}/${name}`;
}

export function parent(path: string): string {
  const cut = path.replace(/\/+$/, '').lastIndexOf('/');
  return cut <= 0 ? '/' : path.slice(0, cut);
}

/** Every folder on the way to a path, from the root; the repository is one part. */
export function partsOf(path: string): { name: string; path: string }[] {
  const parts: { name: string; path: string }[] = [{ name: '/', path: '/' }];
  let at = '';
  for (const name of path.split('/').filter((part) => part !== '')) {
    at = `${at}/${name}`;
    parts.push({ name, path: at });
  }
  return parts;
}

/** A name that is not what it was: what was no UTF-8 in it is lost, so it cannot be asked for. */
export function isLost(name: string): boolean {
  return name.includes('\ufffd');
}
