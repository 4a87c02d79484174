// The control plane.
import { Sandbox, box, create, fails, holds, isAtLeast, listed, same, skip, test, until, use } from './common.mjs';

test('a sandbox is made and told of', async () => {
  use(await create({ metadata: { a: 'b c', 'é&=': '%' }, envs: { GIVEN: 'one two' }, timeoutMs: 600_000 }));
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
