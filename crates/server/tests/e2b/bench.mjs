// Measures a sandbox cloud by E2B's own JavaScript SDK: one JSON object on the last line. Arguments: where the SDK is installed, the
// address of nginx, how often, and how many at once. The environment says where the cloud is.
import { createRequire } from 'node:module';

const [home, nginx, times, atOnce] = process.argv.slice(2);
const { Sandbox } = createRequire(`${home}/package.json`)('e2b');
const TIMES = Number(times);
const AT_ONCE = Number(atOnce);
const FILE_BYTES = 100 * 1024 * 1024;
const FILE_TIMES = 5;

const report = {};
const took = async (what) => {
  const begun = performance.now();
  await what();
  return performance.now() - begun;
};
function keep(name, all) {
  all.sort((a, b) => a - b);
  const at = (share) => all[Math.round((all.length - 1) * share)];
  report[name] = { p50: at(0.5), p99: at(0.99), times: all.length };
}
async function measured(name, count, what) {
  const all = [];
  for (let n = 0; n < count; n += 1) all.push(await what(n));
  keep(name, all);
}

/** To the first byte that a command in it prints. */
async function first() {
  const begun = performance.now();
  const sandbox = await Sandbox.create();
  let seen;
  await sandbox.commands.run('echo ready', { onStdout: () => (seen ??= performance.now()) });
  await sandbox.kill();
  return seen - begun;
}

for (let n = 0; n < 3; n += 1) await first();
await measured('first_output', TIMES, first);

const box = await Sandbox.create();
await box.commands.run('true');
await measured('command', TIMES * 5, () => took(() => box.commands.run('true')));
await measured('command_in_sh', TIMES * 5, () => took(() => box.commands.run('echo x')));
await measured('small_write', TIMES * 5, (n) => took(() => box.files.write('small', `content ${n}`)));
await measured('small_read', TIMES * 5, () => took(() => box.files.read('small')));

const bytes = new Uint8Array(FILE_BYTES);
for (let at = 0; at < bytes.length; at += 4096) bytes[at] = at % 251;
const whole = async (read) => {
  const length = (await read()).byteLength;
  if (length !== FILE_BYTES) throw new Error(`${length} bytes came back`);
};
const get = async () => (await fetch(`${nginx}/file`)).arrayBuffer();
const put = async () => {
  const answer = await fetch(`${nginx}/file`, { method: 'PUT', body: new Blob([bytes]) });
  if (!answer.ok) throw new Error(`nginx answers ${answer.status}`);
};
const rate = (name, count, what) => measured(name, count, async () => FILE_BYTES / 1048.576 / (await took(what)));
// In turns, so that both have the same machine.
await put();
await box.files.write('/home/user/file', new Blob([bytes]));
for (const [name, ours, theirs] of [
  ['write', () => box.files.write('/home/user/file', new Blob([bytes])), put],
  ['read', () => whole(() => box.files.read('/home/user/file', { format: 'bytes' })), () => whole(get)],
]) {
  await rate(`file_${name}`, FILE_TIMES, ours);
  await rate(`nginx_${name}`, FILE_TIMES, theirs);
}

await measured('pause', TIMES, async () => {
  const spent = await took(() => box.pause());
  await box.connect();
  return spent;
});
await measured('resume', TIMES, async () => {
  await box.pause();
  return took(async () => {
    await box.connect();
    await box.commands.run('true');
  });
});
await box.files.remove('/home/user/file');
await measured('snapshot', Math.min(TIMES, 10), async () => {
  let snapshot;
  const spent = await took(async () => (snapshot = await box.createSnapshot()));
  await Sandbox.deleteSnapshot(snapshot.snapshotId);
  return spent;
});
await measured('fork', Math.min(TIMES, 10), async () => {
  let forks;
  const spent = await took(async () => (forks = await box.fork({ timeoutMs: 60_000 })));
  await Promise.all(forks.map((fork) => fork.kill()));
  return spent;
});
await box.kill();

let left = TIMES * 4;
const worker = async () => {
  while (left > 0) {
    left -= 1;
    await first();
  }
};
const all = left;
const spent = await took(() => Promise.all(Array.from({ length: AT_ONCE }, worker)));
report.sustained = all / (spent / 1000);
console.log(JSON.stringify(report));
process.exit(0);
