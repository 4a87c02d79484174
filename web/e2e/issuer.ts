/** Who signs people in, for the tests: a real OpenID provider (the package oidc-provider), and a GitHub of our own that is as strict as the real one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

export const OIDC_SECRET = 'oidc-secret-canary';
/** Where crates/fake-github is built to; without it such tests are skipped. */
const { FAKE_GITHUB } = process.env;
export const HAS_GITHUB = FAKE_GITHUB !== undefined;
/** As crates/fake-github knows us. */
export const GITHUB = { app: 'Iv23fakegithub', oauth: 'Ov23fakegithub', secret: 'client-secret-canary-0123456789' };

/** Knows everybody by what they type, and has verified their address; but for `mallory`. */
export async function openProvider(redirect: string): Promise<{ issuer: string; close: () => void }> {
  const http = createServer((request, response) => handle(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'lamplight',
        client_secret: OIDC_SECRET,
        redirect_uris: [redirect],
        grant_types: ['authorization_code'],
      },
    ],
    pkce: { required: () => true },
    cookies: { keys: ['only for tests'] },
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        name: `${id} of Example`,
        preferred_username: id,
        email: `${id}@example.org`,
        email_verified: id !== 'mallory',
      }),
    }),
  });
  const handle = provider.callback();
  return {
    issuer,
    close: () => {
      http.closeAllConnections();
      http.close();
    },
  };
}

/** One that listens; people by what they may, such as `write`. */
export class FakeGitHub {
  readonly url: string;
  /** `owner/name.git` below it are its repositories. */
  readonly root: string;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcess, root: string, url: string, lines: AsyncIterator<string>) {
    this.#process = process;
    this.#lines = lines;
    this.root = root;
    this.url = url;
  }

  static async start(token: string, people: Record<string, string>): Promise<FakeGitHub> {
    const root = mkdtempSync(join(tmpdir(), 'lamplight-github-'));
    const all = Object.entries(people).map(([login, permission]) => `${login}=${permission}`);
    const child = spawn(FAKE_GITHUB ?? '', [root, token, ...all], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await lines.next();
    return new FakeGitHub(child, root, value, lines);
  }

  /** Such as `allow acme/api ada none`. */
  tell(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** Such as `pulls acme/api`. */
  async ask(line: string): Promise<unknown> {
    this.tell(line);
    return JSON.parse((await this.#lines.next()).value);
  }

  close(): void {
    this.#process.stdin?.end();
    rmSync(this.root, { recursive: true, force: true });
  }
}
