// E2B's own JavaScript SDK, unmodified, against a Lamplight server: each case prints one line. What is expected is what E2B's
// documentation and protocol say, not what this server happens to do.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

// Where the SDK is installed is the one argument.
const require = createRequire(`${process.argv[2]}/package.json`);
const e2b = require('e2b');
const { Sandbox } = e2b;
const version = require('e2b/package.json').version;
const isAtLeast = (wanted) => {
  const [a, b] = [version, wanted].map((text) => text.split('.').map(Number));
  return a[0] !== b[0] ? a[0] > b[0] : a[1] >= b[1];
};

const cases = [];
const test = (name, run) => cases.push([name, run]);
class Skipped extends Error {}
const skip = (why) => {
  throw new Skipped(why);
};

function same(seen, wanted, what = 'it') {
  const [a, b] = [seen, wanted].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${what} is ${a}, not ${b}`);
}
function holds(condition, what) {
  if (!condition) throw new Error(what);
}
async function fails(promise, kind, words = '') {
  try {
    await promise;
  } catch (error) {
    const names = [];
    for (let of = error; of && of !== Object.prototype; of = Object.getPrototypeOf(of)) names.push(of.constructor.name);
    holds(names.includes(kind), `${error.constructor.name} (${error.message}), not ${kind}`);
    holds(error.message.includes(words), `the message is ${error.message}`);
    return error;
  }
  throw new Error(`it did not fail as ${kind}`);
}
async function until(condition, what, ms = 20_000) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await condition()) return;
    await sleep(50);
  }
  throw new Error(`not in time: ${what}`);
}

/** The one that most cases use. */
let box;
const made = [];
async function create(...options) {
  const sandbox = await Sandbox.create(...options);
  made.push(sandbox);
  return sandbox;
}
async function listed(query) {
  const all = [];
  const pages = Sandbox.list({ query, limit: 2 });
  while (pages.hasNext) all.push(...(await pages.nextItems()));
  return all;
}

// Control plane

test('a sandbox is made and told of', async () => {
  box = await create({ metadata: { a: 'b c', 'é&=': '%' }, envs: { GIVEN: 'one two' }, timeoutMs: 600_000 });
  holds(/^[a-z0-9]+$/.test(box.sandboxId), `the id is ${box.sandboxId}`);
  const info = await box.getInfo();
  same([info.sandboxId, info.state, info.templateId], [box.sandboxId, 'running', 'base']);
  same(info.metadata, { a: 'b c', 'é&=': '%' });
  const left = info.endAt - Date.now();
  holds(left > 500_000 && left <= 600_000, `it ends in ${left} ms`);
  holds(Math.abs(Date.now() - info.startedAt) < 60_000, 'it began now');
  holds(info.cpuCount >= 1 && info.memoryMB > 0, 'it has a machine');
  holds(await box.isRunning(), 'it runs');
});
test('its time is set, and may be shorter', async () => {
  const end = async () => (await box.getInfo()).endAt - Date.now();
  await box.setTimeout(100_000);
  holds((await end()) <= 100_000, 'shorter');
  await Sandbox.setTimeout(box.sandboxId, 600_000);
  holds((await end()) > 500_000, 'longer');
});
test('connecting makes its time no shorter', async () => {
  const other = await Sandbox.connect(box.sandboxId, { timeoutMs: 1_000 });
  same(other.sandboxId, box.sandboxId);
  holds((await box.getInfo()).endAt - Date.now() > 500_000, 'it ends no sooner');
  same((await other.commands.run('echo here')).stdout, 'here\n');
});
test('lists are narrowed by metadata and come in pages', async () => {
  const own = `list-${Date.now()}`;
  const three = await Promise.all([1, 2, 3].map((n) => create({ metadata: { own, n: String(n) } })));
  const ids = (await listed({ metadata: { own } })).map((one) => one.sandboxId);
  same([...ids].sort(), three.map((one) => one.sandboxId).sort());
  same((await listed({ metadata: { own, n: '2' } })).length, 1);
  same((await listed({ metadata: { a: 'b c', 'é&=': '%' } })).map((one) => one.sandboxId), [box.sandboxId]);
  same((await listed({ metadata: { own }, state: ['paused'] })).length, 0);
  await Promise.all(three.map((one) => one.kill()));
  same((await listed({ metadata: { own } })).length, 0);
});
test('what is killed is gone', async () => {
  const one = await create();
  holds(await one.kill(), 'it was there');
  same(await one.kill(), false, 'killing again');
  same(await Sandbox.kill(one.sandboxId), false, 'killing by its id');
  same(await one.isRunning(), false, 'running');
  await fails(Sandbox.connect(one.sandboxId), 'NotFoundError');
  await fails(one.getInfo(), 'NotFoundError');
  await fails(one.files.read('x'), 'SandboxError');
});
test('an id that never was is not found', async () => {
  await fails(Sandbox.getInfo('i0123456789abcdefghij'), 'NotFoundError');
  await fails(Sandbox.connect('01jd5zk8w3q4r6t7v8x9y0z1a2'), 'NotFoundError');
});
test('a template that is not there is not found', async () => {
  await fails(Sandbox.create('no-such-template'), 'SandboxError', "template 'no-such-template' not found");
});
test('a time that cannot be is refused', async () => {
  await fails(Sandbox.create({ timeoutMs: 1000 * 3600 * 1000 }), 'SandboxError', 'Timeout cannot be greater than');
  await fails(box.setTimeout(1000 * 3600 * 1000), 'SandboxError', 'Timeout cannot be greater than');
});
test('a key that is none is refused', async () => {
  await fails(Sandbox.create({ apiKey: 'e2b_', validateApiKey: false }), 'AuthenticationError');
  await fails(Sandbox.kill(box.sandboxId, { apiKey: 'e2b_zz' }), 'AuthenticationError');
});
test('its end comes in time', async () => {
  const one = await create({ timeoutMs: 2_000 });
  await until(async () => !(await one.isRunning()), 'the end of a sandbox');
  await fails(one.getInfo(), 'NotFoundError');
});
test('pausing keeps processes and memory', async () => {
  const one = await create();
  const { pid } = await one.commands.run('n=0; while true; do n=$((n+1)); echo $n > /tmp/n; sleep 0.05; done', { background: true });
  await one.files.write('/home/user/kept', 'x');
  await until(() => one.files.exists('/tmp/n'), 'the loop');
  holds(await one.pause(), 'it was running');
  same(await one.pause(), false, 'pausing again');
  same(await one.isRunning(), false, 'running');
  same((await Sandbox.getInfo(one.sandboxId)).state, 'paused');
  same((await listed({ state: ['paused'] })).map((each) => each.sandboxId), [one.sandboxId]);
  const again = await Sandbox.connect(one.sandboxId, { timeoutMs: 60_000 });
  same((await again.getInfo()).state, 'running');
  same(await again.files.read('/home/user/kept'), 'x');
  const before = Number(await again.files.read('/tmp/n'));
  await until(async () => Number(await again.files.read('/tmp/n')) > before, 'the loop going on');
  holds((await again.commands.list()).some((each) => each.pid === pid), 'its process is known');
  await again.kill();
});
test('pausing without memory keeps files and starts anew', async () => {
  if (!isAtLeast('2.46.0')) skip('the SDK has no keepMemory');
  const one = await create();
  await one.files.write('/home/user/kept', 'x');
  await one.commands.run('sleep 600', { background: true });
  await one.pause({ keepMemory: false });
  await one.connect();
  same(await one.files.read('/home/user/kept'), 'x');
  same((await one.commands.run('pgrep -c sleep || true')).stdout.trim(), '0', 'processes of before');
  await one.kill();
});
test('at its end it is paused where that is asked for', async () => {
  const one = await create({ timeoutMs: 1_500, lifecycle: { onTimeout: 'pause' } });
  await until(async () => (await one.getInfo()).state === 'paused', 'the pause');
  await one.connect();
  same((await one.commands.run('echo on')).stdout, 'on\n');
  await one.kill();
});
test('one that is paused wakes for who asks', async () => {
  const one = await create({ lifecycle: { onTimeout: 'pause', autoResume: true } });
  await one.files.write('/tmp/kept', 'x');
  await one.pause();
  same(await one.files.read('/tmp/kept'), 'x');
  same((await one.getInfo()).state, 'running');
  await one.kill();
});
test('one that is paused is killed', async () => {
  const one = await create();
  await one.pause();
  holds(await one.kill(), 'it was there');
  await fails(one.getInfo(), 'NotFoundError');
});
test('what it uses is told', async () => {
  const [metric] = await box.getMetrics();
  holds(metric.memTotal > 0 && metric.memUsed > 0 && metric.cpuCount >= 1, JSON.stringify(metric));
  same(await box.getMetrics({ start: new Date(0), end: new Date(1_000_000) }), []);
});

// Commands

test('a command says what it says, each output for itself', async () => {
  const result = await box.commands.run('echo out; echo err >&2');
  same([result.exitCode, result.stdout, result.stderr], [0, 'out\n', 'err\n']);
});
test('a command that fails is an error with its number', async () => {
  const error = await fails(box.commands.run('echo before; exit 7'), 'CommandExitError');
  same([error.exitCode, error.stdout], [7, 'before\n']);
});
test('a command that is not there ends with 127', async () => {
  same((await fails(box.commands.run('no-such-command-here'), 'CommandExitError')).exitCode, 127);
});
test('a command that is killed by a signal says so', async () => {
  const error = await fails(box.commands.run('kill -9 $$'), 'CommandExitError');
  same(error.error, 'signal: killed');
});
test('output comes while the command runs', async () => {
  const seen = [];
  const handle = await box.commands.run('echo one; sleep 0.3; echo two', { background: true, onStdout: (text) => void seen.push(text) });
  await until(() => seen.join('') === 'one\n', 'the first line');
  await handle.wait();
  same(seen.join(''), 'one\ntwo\n');
});
test('output of many bytes comes whole', async () => {
  const result = await box.commands.run('seq 1 200000 | tee /dev/stderr', { timeoutMs: 120_000 });
  const wanted = Array.from({ length: 200_000 }, (_, n) => `${n + 1}\n`).join('');
  holds(result.stdout === wanted && result.stderr === wanted, `${result.stdout.length} and ${result.stderr.length} characters`);
});
test('letters of several bytes are not cut', async () => {
  const result = await box.commands.run("python3 -c \"print('é€😀' * 30000)\"");
  same(result.stdout.length, 'é€😀'.length * 30_000 + 1);
  holds(!result.stdout.includes('\ufffd'), 'nothing is broken');
});
test('environment and folder are as they are given', async () => {
  const result = await box.commands.run('echo "$GIVEN|$MORE|$E2B_SANDBOX|$PWD"', { envs: { MORE: 'a b' }, cwd: '/tmp' });
  same(result.stdout, 'one two|a b|true|/tmp\n');
  const over = await box.commands.run('echo $GIVEN', { envs: { GIVEN: 'other' } });
  same(over.stdout, 'other\n');
  same((await box.commands.run('echo $E2B_SANDBOX_ID')).stdout.trim(), box.sandboxId);
});
test('a folder that is not there is an error', async () => {
  await fails(box.commands.run('true', { cwd: '/no/such/folder' }), 'InvalidArgumentError', "cwd '/no/such/folder' does not exist");
});
test('a command is the user unless it is root', async () => {
  same((await box.commands.run('whoami; pwd; echo $HOME')).stdout, 'user\n/home/user\n/home/user\n');
  same((await box.commands.run('whoami; pwd; echo $HOME', { user: 'root' })).stdout, 'root\n/root\n/root\n');
  await fails(box.commands.run('true', { user: 'nobody-here' }), 'AuthenticationError', "invalid username: 'nobody-here'");
});
test('a command that takes too long is killed', async () => {
  await fails(box.commands.run('exec -a too-long sleep 600', { timeoutMs: 1_000 }), 'TimeoutError');
  await until(async () => (await box.commands.run("pgrep -fc '[t]oo-long' || true")).stdout.trim() === '0', 'its end');
});
test('what runs in the background is listed, followed and killed', async () => {
  const handle = await box.commands.run('echo begun; exec sleep 600', { background: true });
  const all = await box.commands.list();
  const one = all.find((each) => each.pid === handle.pid);
  holds(one, 'it is listed');
  const other = await box.commands.connect(handle.pid);
  same(other.pid, handle.pid);
  holds(await box.commands.kill(handle.pid), 'it was there');
  await fails(handle.wait(), 'CommandExitError', 'signal: killed');
  await fails(other.wait(), 'CommandExitError');
  same(await box.commands.kill(handle.pid), false, 'killing again');
});
test('a process goes on when nobody follows it', async () => {
  const handle = await box.commands.run('sleep 0.5; echo late > /tmp/late', { background: true });
  await handle.disconnect();
  await until(() => box.files.exists('/tmp/late'), 'what it writes');
  holds(!(await box.commands.list()).some((each) => each.pid === handle.pid), 'it is listed no more');
});
test('who connects hears what is said from then on', async () => {
  const handle = await box.commands.run('read line; echo "heard $line"; sleep 0.1', { background: true, stdin: true });
  await handle.disconnect();
  const seen = [];
  const other = await box.commands.connect(handle.pid, { onStdout: (text) => void seen.push(text) });
  await box.commands.sendStdin(handle.pid, 'hello\n');
  await other.wait();
  same(seen.join(''), 'heard hello\n');
});
test('input reaches a command, and ends', async () => {
  const handle = await box.commands.run('cat; echo over', { background: true, stdin: true });
  await box.commands.sendStdin(handle.pid, 'one ');
  await box.commands.sendStdin(handle.pid, 'two\n');
  await box.commands.closeStdin(handle.pid);
  same((await handle.wait()).stdout, 'one two\nover\n');
});
test('input of many bytes is taken whole', async () => {
  const handle = await box.commands.run('wc -c', { background: true, stdin: true });
  await box.commands.sendStdin(handle.pid, 'x'.repeat(3_000_000));
  await box.commands.closeStdin(handle.pid);
  same((await handle.wait()).stdout.trim(), '3000000');
});
test('input for a process that is not there is an error', async () => {
  await fails(box.commands.sendStdin(999_999, 'x'), 'NotFoundError', 'process with pid 999999 not found');
  await fails(box.commands.connect(999_999), 'NotFoundError');
});
test('many commands at once all answer', async () => {
  const all = await Promise.all(Array.from({ length: 30 }, (_, n) => box.commands.run(`echo ${n}`)));
  same(all.map((one) => one.stdout.trim()), Array.from({ length: 30 }, (_, n) => String(n)));
});
test('more commands than are known at a time all answer', async () => {
  for (let round = 0; round < 8; round++) {
    const all = await Promise.all(Array.from({ length: 20 }, () => box.commands.run('echo x')));
    holds(all.every((one) => one.stdout === 'x\n'), `round ${round}`);
  }
});

// Terminals

test('a terminal shows, takes keys, and is resized', async () => {
  let shown = '';
  const decoder = new TextDecoder();
  const pty = await box.pty.create({ cols: 90, rows: 30, onData: (data) => void (shown += decoder.decode(data)), envs: { OWN: 'mine' } });
  await box.pty.sendInput(pty.pid, new TextEncoder().encode('stty size; echo "$OWN $TERM"\n'));
  await until(() => shown.includes('30 90') && shown.includes('mine xterm-256color'), `the size in ${shown}`);
  await box.pty.resize(pty.pid, { cols: 120, rows: 40 });
  await box.pty.sendInput(pty.pid, new TextEncoder().encode('stty size\n'));
  await until(() => shown.includes('40 120'), `the new size in ${shown}`);
  await box.pty.sendInput(pty.pid, new TextEncoder().encode('exit 3\n'));
  same((await fails(pty.wait(), 'CommandExitError')).exitCode, 3);
});
test('a terminal is killed', async () => {
  const pty = await box.pty.create({ cols: 80, rows: 24, onData: () => {}, cwd: '/tmp', user: 'root' });
  holds(await box.pty.kill(pty.pid), 'it was there');
  await fails(pty.wait(), 'CommandExitError');
  same(await box.pty.kill(pty.pid), false, 'killing again');
});
test('a terminal is joined by another', async () => {
  if (!box.pty.connect) skip('the SDK cannot');
  const pty = await box.pty.create({ cols: 80, rows: 24, onData: () => {} });
  let shown = '';
  const other = await box.pty.connect(pty.pid, { onData: (data) => void (shown += new TextDecoder().decode(data)) });
  await box.pty.sendInput(other.pid, new TextEncoder().encode('echo to-$((1+1))\n'));
  await until(() => shown.includes('to-2'), 'what it says');
  await box.pty.kill(pty.pid);
});

// Files

test('a text is written and read', async () => {
  const info = await box.files.write('text.txt', 'hello é');
  same([info.path, info.name, info.type], ['/home/user/text.txt', 'text.txt', 'file']);
  same(await box.files.read('/home/user/text.txt'), 'hello é');
  same((await box.commands.run('stat -c "%U %a" text.txt')).stdout, 'user 644\n');
  await box.files.write('text.txt', 'short');
  same(await box.files.read('~/text.txt'), 'short');
});
test('bytes of all kinds come back as they went', async () => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, n) => (n * 7) % 256);
  await box.files.write('/tmp/bytes', bytes.buffer);
  const back = await box.files.read('/tmp/bytes', { format: 'bytes' });
  same(back.length, bytes.length);
  holds(bytes.every((byte, n) => byte === back[n]), 'every byte is the same');
  const blob = await box.files.read('/tmp/bytes', { format: 'blob' });
  same(blob.size, bytes.length);
  const chunks = [];
  for await (const chunk of await box.files.read('/tmp/bytes', { format: 'stream' })) chunks.push(chunk.length);
  same(chunks.reduce((a, b) => a + b, 0), bytes.length);
});
test('an empty file is one', async () => {
  await box.files.write('/tmp/empty', '');
  same(await box.files.read('/tmp/empty'), '');
  same((await box.files.getInfo('/tmp/empty')).size, 0);
});
test('several files are written at once', async () => {
  const all = await box.files.write([
    { path: 'many/a.txt', data: 'a' },
    { path: '/tmp/many/b.txt', data: new Blob(['b']) },
    { path: 'many/c d é.txt', data: 'c' },
  ]);
  same(all.map((one) => one.path), ['/home/user/many/a.txt', '/tmp/many/b.txt', '/home/user/many/c d é.txt']);
  same([await box.files.read('many/a.txt'), await box.files.read('/tmp/many/b.txt')], ['a', 'b']);
  same(await box.files.read('many/c d é.txt'), 'c');
  same((await box.commands.run('stat -c %U many')).stdout, 'user\n');
});
test('writing keeps the mode of what is there, and follows links', async () => {
  await box.commands.run('echo old > run.sh; chmod 755 run.sh; ln -sf run.sh to-run');
  await box.files.write('run.sh', 'new');
  same((await box.commands.run('stat -c %a run.sh')).stdout, '755\n');
  await box.files.write('to-run', 'by the link');
  same((await box.commands.run('cat run.sh; readlink to-run')).stdout, 'by the linkrun.sh\n');
});
test('a file that is not there is not found', async () => {
  await fails(box.files.read('/no/such/file'), 'NotFoundError', "path '/no/such/file' does not exist");
  same(await box.files.exists('/no/such/file'), false);
  await fails(box.files.getInfo('/no/such/file'), 'NotFoundError');
});
test('a folder is no file', async () => {
  await fails(box.files.read('/tmp'), 'InvalidArgumentError', "path '/tmp' is a directory");
  await fails(box.files.write('/tmp', 'x'), 'InvalidArgumentError');
});
test('files of root are not the user’s', async () => {
  await box.files.write('/root/secret', 'x', { user: 'root' });
  same(await box.files.read('/root/secret', { user: 'root' }), 'x');
  await fails(box.files.read('/root/secret'), 'SandboxError');
  await fails(box.files.write('/etc/mine', 'x'), 'SandboxError');
  same((await box.files.getInfo('/root/secret', { user: 'root' })).owner, 'root');
});
test('folders are made once', async () => {
  holds(await box.files.makeDir('made/deep/er'), 'it was not there');
  same(await box.files.makeDir('made/deep/er'), false, 'making again');
  same((await box.files.getInfo('made/deep')).type, 'dir');
  await box.files.write('made/file', 'x');
  await fails(box.files.makeDir('made/file'), 'InvalidArgumentError');
});
test('folders are listed as deep as is asked for', async () => {
  await box.commands.run('mkdir -p tree/b/c/d; echo x > tree/a; echo x > tree/b/c/e; ln -s a tree/link; ln -s none tree/broken');
  const names = async (depth) => (await box.files.list('tree', { depth })).map((one) => one.path.slice('/home/user/tree/'.length));
  same(await names(1), ['a', 'b', 'broken', 'link']);
  same(await names(2), ['a', 'b', 'b/c', 'broken', 'link']);
  same(await names(9), ['a', 'b', 'b/c', 'b/c/d', 'b/c/e', 'broken', 'link']);
  await fails(box.files.list('tree/a'), 'InvalidArgumentError');
  await fails(box.files.list('/no/such'), 'NotFoundError');
});
test('what is told of files is so', async () => {
  await box.commands.run('printf 12345 > told; chmod 640 told; ln -sf told to-told');
  const info = await box.files.getInfo('told');
  same([info.name, info.type, info.size, info.mode, info.permissions, info.owner, info.group], ['told', 'file', 5, 0o640, '-rw-r-----', 'user', 'user']);
  holds(Math.abs(Date.now() - info.modifiedTime) < 60_000, `modified at ${info.modifiedTime}`);
  const link = await box.files.getInfo('to-told');
  same([link.type, link.symlinkTarget, link.permissions], ['file', '/home/user/told', 'Lrwxrwxrwx']);
});
test('what is renamed is under its new name', async () => {
  await box.files.write('old-name', 'x');
  const info = await box.files.rename('old-name', 'new/name');
  same(info.path, '/home/user/new/name');
  same([await box.files.exists('old-name'), await box.files.read('new/name')], [false, 'x']);
  await fails(box.files.rename('never-was', 'x'), 'NotFoundError');
});
test('what is removed is gone with all that is in it', async () => {
  await box.commands.run('mkdir -p gone/deep; echo x > gone/deep/er');
  await box.files.remove('gone');
  same(await box.files.exists('gone'), false);
  await box.files.remove('gone');
});
test('what happens in a folder is heard', async () => {
  await box.files.makeDir('watched/deep');
  const seen = [];
  const handle = await box.files.watchDir('watched', (event) => void seen.push(`${event.type} ${event.name}`));
  await box.files.write('watched/a', 'x');
  await box.commands.run('cd watched; chmod 600 a; mv a b; rm b; echo x > deep/c');
  for (const wanted of ['create a', 'chmod a', 'rename a', 'create b', 'remove b']) {
    await until(() => seen.includes(wanted), `${wanted} in ${seen}`);
  }
  holds(!seen.some((one) => one.includes('deep/')), 'nothing of what is below');
  await handle.stop();
});
test('what happens below a folder is heard where that is asked for', async () => {
  const seen = [];
  const handle = await box.files.watchDir('watched', (event) => void seen.push(`${event.type} ${event.name}`), { recursive: true });
  await box.commands.run('cd watched; echo x > deep/d; mkdir later');
  await until(() => seen.includes('write deep/d') && seen.includes('create later'), `events in ${seen}`);
  await box.commands.run('echo x > watched/later/e');
  await until(() => seen.includes('write later/e'), `events in ${seen}`);
  await handle.stop();
});
test('watching what is not there, or no folder, is an error', async () => {
  await fails(box.files.watchDir('/no/such', () => {}), 'NotFoundError');
  await fails(box.files.watchDir('told', () => {}), 'SandboxError');
});
test('an address that is signed is enough to read and write', async () => {
  await box.files.write('signed', 'by the sdk');
  const read = await box.downloadUrl('signed', { useSignatureExpiration: 60_000 });
  same(await (await fetch(read)).text(), 'by the sdk');
  const forged = await fetch(read.replace(/signature=[^&]+/, 'signature=v1_AAAA'));
  holds([401, 502].includes(forged.status), `forged: ${forged.status}`);
  same((await fetch(read.replace('signed', 'told'))).ok, false, 'another path');
  const form = new FormData();
  form.append('file', new Blob(['by the address']), 'signed');
  const write = await box.uploadUrl('signed', { useSignatureExpiration: 60_000 });
  same((await fetch(write, { method: 'POST', body: form })).status, 200);
  same(await box.files.read('signed'), 'by the address');
  same((await fetch(write)).ok, false, 'reading by an address for writing');
});
test('an address whose time is over is refused', async () => {
  const read = await box.downloadUrl('signed', { useSignatureExpiration: -5 });
  const answer = await fetch(read);
  same(answer.status, 401);
  same((await answer.json()).message, 'signature is already expired');
});
test('a part of a file is read', async () => {
  await box.files.write('part', '0123456789');
  const read = await box.downloadUrl('part');
  for (const [range, status, text] of [['bytes=2-4', 206, '234'], ['bytes=7-', 206, '789'], ['bytes=-2', 206, '89'], ['bytes=20-', 416, '']]) {
    const answer = await fetch(read, { headers: { range } });
    same([answer.status, await answer.text()], [status, text], range);
  }
});

// Hostile, and strange

test('paths with dots and zeros stay in the sandbox', async () => {
  same((await box.files.read('../../../../../../etc/hostname')).trim(), (await box.commands.run('cat /etc/hostname')).stdout.trim());
  await box.commands.run('ln -sf /etc/hostname out; ln -sf / root-of-all');
  same((await box.files.read('out')).trim(), 'lamplight');
  await fails(box.files.read('a\0b'), 'SandboxError');
  await fails(box.files.write('a\0b', 'x'), 'SandboxError');
  await fails(box.files.list('a\0b'), 'SandboxError');
});
test('a token of another sandbox is refused', async () => {
  const one = await create();
  const stolen = new Sandbox({ ...one.connectionConfig, sandboxId: box.sandboxId, envdVersion: '0.6.1', envdAccessToken: one.envdAccessToken });
  await fails(stolen.files.read('told'), 'AuthenticationError');
  await fails(stolen.commands.run('true'), 'AuthenticationError');
  const none = new Sandbox({ ...one.connectionConfig, sandboxId: box.sandboxId, envdVersion: '0.6.1' });
  await fails(none.commands.run('true'), 'AuthenticationError');
  await one.kill();
});
test('what is killed in the middle of a command says so', async () => {
  const one = await create();
  const handle = await one.commands.run('sleep 600', { background: true });
  const waiting = handle.wait();
  waiting.catch(() => {});
  await sleep(200);
  await Sandbox.kill(one.sandboxId);
  const error = await fails(waiting, 'SandboxError');
  holds(!(error instanceof e2b.CommandExitError), 'it is no end of the command');
  if (isAtLeast('2.46.0')) holds(/killed|end of life|not found|terminated/i.test(error.message), error.message);
});
test('programs at ports are reached by their host', async () => {
  if (!process.env.E2B_DOMAIN) skip('one address is for all sandboxes');
  await box.files.write('/tmp/site/index.html', 'served inside');
  await box.commands.run('cd /tmp/site && exec python3 -m http.server 8080', { background: true });
  const host = `https://${box.getHost(8080)}`;
  const read = async () => fetch(host).then((answer) => (answer.ok ? answer.text() : ''), () => '');
  await until(async () => (await read()) === 'served inside', 'the program');
  const closed = await fetch(`https://${box.getHost(8081)}`);
  same([closed.status, (await closed.json()).message], [502, 'The sandbox is running but port is not open']);
});
test('without the internet there is none', async () => {
  const one = await create({ allowInternetAccess: false });
  const tried = await one.commands.run('python3 -c "import socket; socket.create_connection((\'1.1.1.1\', 80), 3)" 2>&1 || echo none');
  holds(tried.stdout.includes('none'), tried.stdout);
  same((await one.getInfo()).allowInternetAccess, false);
  await one.kill();
});
test('what is not served is said in an error', async () => {
  if (box.createSnapshot) await fails(box.createSnapshot(), 'SandboxError', 'does not have');
  await fails(Sandbox.create({ network: { allowPublicTraffic: false } }), 'SandboxError', 'not supported');
});

let failed = 0;
const only = process.env.ONLY;
for (const [name, run] of cases.filter(([name], at) => !only || at === 0 || name.includes(only))) {
  const slow = sleep(120_000, undefined, { ref: false }).then(() => Promise.reject(new Error('it takes too long')));
  try {
    await Promise.race([run(), slow]);
    console.log(`ok ${name}`);
  } catch (error) {
    if (error instanceof Skipped) {
      console.log(`skipped ${name}: ${error.message}`);
      continue;
    }
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack?.replaceAll('\n', ' | ')}`);
  }
}
for (const sandbox of made) await sandbox.kill().catch(() => {});
console.log(`done ${cases.length} ${failed}`);
process.exit(0);
