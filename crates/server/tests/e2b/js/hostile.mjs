// What is hostile, strange, or not there.
import { setTimeout as sleep } from 'node:timers/promises';
import { Sandbox, box, create, e2b, fails, holds, isAtLeast, same, skip, test, until } from './common.mjs';
import { reaches } from './snapshots.mjs';

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
  same(await reaches(one, '1.1.1.1', 80), 'none');
  same((await one.getInfo()).allowInternetAccess, false);
  await one.kill();
});
test('what is not served is said in an error', async () => {
  await fails(Sandbox.create({ network: { allowPublicTraffic: false } }), 'SandboxError', 'not supported');
});
