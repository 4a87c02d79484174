/**
 * A real server of a test's own, with the scripted agent, which the test may kill and start again. The environment says where
 * the programs are: LAMPLIGHT and SCRIPTED_AGENT; without them such tests are skipped.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const { LAMPLIGHT, SCRIPTED_AGENT } = process.env;
export const HAS_SERVER = LAMPLIGHT !== undefined && SCRIPTED_AGENT !== undefined;

/** Longest wait for a server to answer, or for a session to be so. */
const WAIT_MS = 60_000;
const LOOK_MS = 50;

/** More than any of these tests calls tools. */
const LIMITS = { steps: 1_000_000, identical_calls: 1_000_000, failures_in_a_row: 1_000_000 };

/** What the repository offers to begin a task with. */
export const TEMPLATE = '!say What is wrong: ';

export class OwnServer {
  readonly url: string;
  /** Absolute path. */
  readonly repository: string;
  readonly #directory: string;
  readonly #port: number;
  /** What it is asked with, where people sign in. */
  token: string | null = null;
  #process: ChildProcess | null = null;
  #said = '';

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.repository = join(directory, 'repository');
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /**
   * `tools` is a tools directory with more in it than the scripted agent, which is put there; `sandboxes` is how many there may be at a
   * time, and 0 is no bound; `more` is of its configuration.
   */
  static async start(tools?: string, sandboxes = 0, more = '', port?: number): Promise<OwnServer> {
    const directory = mkdtempSync(join(tmpdir(), 'lamplight-e2e-'));
    tools ??= join(directory, 'tools');
    mkdirSync(join(tools, 'scripted'), { recursive: true });
    // One that runs is not written over.
    rmSync(join(tools, 'scripted/agent'), { force: true });
    copyFileSync(SCRIPTED_AGENT ?? '', join(tools, 'scripted/agent'));
    chmodSync(join(tools, 'scripted/agent'), 0o755);
    writeFileSync(
      join(directory, 'lamplight.toml'),
      `[agent]\ndefault = "scripted"\ntools_dir = ${JSON.stringify(tools)}\n[log]\nlevel = "warn"\n[queue]\nsandboxes = ${sandboxes}\nsandboxes_per_person = 0\n` +
        '[person]\nname = "Ada"\nemail = "ada@example.org"\n' +
        '[[agents]]\nname = "scripted"\ncommand = "{tools}/scripted/agent"\nargs = ["--images"]\n' +
        more,
    );
    const repository = join(directory, 'repository');
    mkdirSync(repository);
    const git = (...words: string[]) =>
      execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...words], { cwd: repository });
    git('init', '--quiet', '--initial-branch=main');
    writeFileSync(join(repository, 'readme.txt'), 'A repository.\n');
    mkdirSync(join(repository, 'src/deep/er'), { recursive: true });
    writeFileSync(join(repository, 'src/deep/er/a.txt'), 'one\ntwo\nthree\n');
    writeFileSync(join(repository, 'src/main.rs'), 'fn main() {\n    println!("Hello");\n}\n');
    writeFileSync(join(repository, '.lamplight.toml'), `[task]\ntemplate = ${JSON.stringify(TEMPLATE)}\n`);
    git('add', '--all');
    git('commit', '--quiet', '--no-gpg-sign', '-m', 'Begin');
    const server = new OwnServer(directory, port ?? (await freePort()));
    await server.serve();
    return server;
  }

  async serve(): Promise<void> {
    const at = ['--config', join(this.#directory, 'lamplight.toml'), '--data-dir', join(this.#directory, 'data')];
    this.#process = spawn(LAMPLIGHT ?? '', [...at, 'serve', '--listen', `127.0.0.1:${this.#port}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process.stdout?.on('data', (piece) => {
      this.#said += piece;
    });
    await until('the server answers', () => fetch(`${this.url}/healthz`).then(({ ok }) => ok));
  }

  /** The link for the first owner, which it prints. */
  async door(): Promise<string> {
    const find = () => this.#said.match(/http\S+\/sign-in#lmj_[0-9a-f]+/)?.[0];
    await until('the server has said where the first owner comes in', async () => find() !== undefined);
    return find() ?? '';
  }

  /** As a power cut of this one process would: nothing is said to anybody, and the agents live on. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const ended = new Promise((resolve) => this.#process?.once('exit', resolve));
    this.#process?.kill(signal);
    await ended;
  }

  async close(): Promise<void> {
    await until('no sandbox is left', async () => {
      const { items } = (await this.get('/sandboxes')) as { items: { session: string }[] };
      for (const { session } of items) {
        await this.post(`/sessions/${session}/stop`).catch(() => {});
        await this.post(`/sessions/${session}/end`).catch(() => {});
      }
      return items.length === 0;
    });
    await this.kill('SIGTERM');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async get(path: string): Promise<unknown> {
    return this.#call('GET', path);
  }

  async post(path: string, body?: unknown): Promise<unknown> {
    return this.#call('POST', path, body);
  }

  async create(prompt: string, more: object = {}): Promise<string> {
    const view = await this.post('/sessions', { repository: this.repository, prompt, limits: LIMITS, ...more });
    return (view as { id: string }).id;
  }

  /** Waits for a turn to be over and its work to be recorded. */
  async done(id: string, turn: number): Promise<void> {
    await until(`turn ${turn} is done`, async () => {
      const view = (await this.get(`/sessions/${id}`)) as { phase: string; turn: number; queued: unknown[] };
      return view.turn >= turn && view.phase === 'done' && view.queued.length === 0;
    });
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }),
      },
      ...(method === 'GET' ? {} : { body: JSON.stringify(body ?? {}) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}

export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await holds().catch(() => false)); waited += LOOK_MS) {
    if (waited > WAIT_MS) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** One that nobody listens at. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
