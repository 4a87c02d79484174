// Snapshots, forks, the network of one that runs, and its log.
import { Sandbox, box, create, fails, holds, made, same, test } from './common.mjs';

const snapshots = async (options) => {
  const all = [];
  const pages = Sandbox.listSnapshots({ limit: 1, ...options });
  while (pages.hasNext) all.push(...(await pages.nextItems()));
  return all.map((one) => one.snapshotId);
};
const content = (sandbox, path) => sandbox.files.read(path);

test('a snapshot outlives its sandbox, and others begin with its files', async () => {
  const one = await create({ envs: { GIVEN: 'by the first' } });
  await one.files.write('/home/user/kept', 'before');
  await one.files.write('/etc/of-root', 'x', { user: 'root' });
  await one.commands.run('mkdir -p many; cd many; seq 200 | xargs touch; ln -s 1 link; chmod 700 1');
  const snapshot = await one.createSnapshot();
  await one.files.write('/home/user/kept', 'after');
  same(await content(one, 'kept'), 'after', 'what the first goes on with');
  await one.kill();
  const two = await create(snapshot.snapshotId);
  same(await content(two, 'kept'), 'before');
  same((await two.commands.run('ls many | wc -l; readlink many/link; stat -c "%U %a" many/1; echo $GIVEN')).stdout, '201\n1\nuser 700\nby the first\n');
  same((await two.files.getInfo('/etc/of-root')).owner, 'root');
  holds(two.sandboxId !== one.sandboxId, 'it is another');
  same((await two.getInfo()).templateId, snapshot.snapshotId);
  await two.files.write('kept', 'by the second');
  const three = await create(snapshot.snapshotId);
  same(await content(three, 'kept'), 'before', 'what the third begins with');
  holds(await Sandbox.deleteSnapshot(snapshot.snapshotId), 'it was there');
  same(await Sandbox.deleteSnapshot(snapshot.snapshotId), false, 'deleting again');
  same(await content(two, 'kept'), 'by the second', 'files of one whose snapshot is gone');
  await two.pause();
  await two.connect();
  same(await content(two, 'kept'), 'by the second', 'after a pause');
  await fails(Sandbox.create(snapshot.snapshotId), 'SandboxError', 'not found');
  await Promise.all([two.kill(), three.kill()]);
});
test('snapshots are listed in pages, by their sandbox', async () => {
  const [one, two] = [await create(), await create()];
  const own = [];
  for (const sandbox of [one, one, two]) own.push((await sandbox.createSnapshot()).snapshotId);
  same((await snapshots()).filter((id) => own.includes(id)), [own[2], own[1], own[0]], 'the newest first');
  same(await snapshots({ sandboxId: one.sandboxId }), [own[1], own[0]]);
  for (const id of own) await Sandbox.deleteSnapshot(id);
  same((await snapshots()).filter((id) => own.includes(id)), []);
  await Promise.all([one.kill(), two.kill()]);
});
test('a snapshot has a name, which a newer one takes over', async () => {
  const one = await create();
  await one.files.write('n', '1');
  const first = await one.createSnapshot({ name: 'named-by-js' });
  same(first.names, ['named-by-js']);
  await one.files.write('n', '2');
  same((await one.createSnapshot({ name: 'named-by-js' })).snapshotId, first.snapshotId);
  const two = await create('named-by-js');
  same(await content(two, 'n'), '2');
  await fails(one.createSnapshot({ name: 'not a name!' }), 'SandboxError', 'Invalid name');
  holds(await Sandbox.deleteSnapshot('named-by-js'), 'it was there');
  await Promise.all([one.kill(), two.kill()]);
});
test('of one that does not run there is no snapshot and no fork', async () => {
  const one = await create();
  await one.pause();
  await fails(one.createSnapshot(), 'SandboxError', 'paused');
  await fails(one.fork(), 'SandboxError', 'paused');
  await one.kill();
  await fails(one.createSnapshot(), 'NotFoundError');
  await fails(one.fork(), 'NotFoundError');
});
test('forks are sandboxes of their own', async () => {
  const one = await create({ metadata: { of: 'forks' }, envs: { GIVEN: 'x' }, timeoutMs: 600_000 });
  await one.files.write('n', 'before');
  const forks = await one.fork({ count: 3, timeoutMs: 60_000 });
  made.push(...forks);
  same(forks.length, 3);
  holds(forks.every((fork) => fork instanceof Sandbox), String(forks));
  same(new Set([one, ...forks].map((each) => each.sandboxId)).size, 4, 'ids');
  await Promise.all(forks.map((fork, at) => fork.files.write('n', String(at))));
  same(await Promise.all(forks.map((fork) => content(fork, 'n'))), ['0', '1', '2']);
  same(await content(one, 'n'), 'before', 'what they were forked from');
  same((await forks[0].commands.run('echo $GIVEN; echo $E2B_SANDBOX_ID')).stdout, `x\n${forks[0].sandboxId}\n`);
  const info = await forks[0].getInfo();
  same(info.metadata, { of: 'forks' });
  holds(info.endAt - Date.now() <= 60_000, 'its own time');
  holds((await one.getInfo()).endAt - Date.now() > 500_000, 'the time of the first');
  await Promise.all([one, ...forks].map((each) => each.kill()));
});
test('a fork of a fork has what both have made', async () => {
  const one = await create();
  await one.files.write('a', '1');
  const [two] = await one.fork();
  made.push(two);
  await two.files.write('b', '2');
  await two.files.remove('a');
  const [three] = await two.fork();
  made.push(three);
  same([await three.files.exists('a'), await content(three, 'b'), await content(one, 'a')], [false, '2', '1']);
  await Promise.all([one, two, three].map((each) => each.kill()));
});
test('how many forks there may be is told', async () => {
  await fails(box.fork({ count: 0 }), 'SandboxError', 'ount must be at least 1');
});
// Whoever may not be reached takes no connection, or says nothing on it.
const ASK = `python3 - "$0" "$1" <<'X' 2>/dev/null || echo none
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as to:
    to.settimeout(5)
    to.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    print("reached" if to.recv(1) else "none")
X`;
export const reaches = async (sandbox, host, port) =>
  (await sandbox.commands.run(`bash -c '${ASK.replaceAll("'", `'"'"'`)}' ${host} ${port}`)).stdout.trim();
test('what may be reached changes while it runs', async () => {
  const outside = process.env.OUTSIDE?.split(':');
  const one = await create();
  const asked = async () => (outside ? await reaches(one, ...outside) : '');
  if (outside) same(await asked(), 'reached', 'at first');
  await one.updateNetwork({ allowInternetAccess: false });
  same((await one.getInfo()).allowInternetAccess, false);
  if (outside) same(await asked(), 'none', 'without the internet');
  await one.updateNetwork({ denyOut: ['0.0.0.0/0'], allowOut: ['192.0.2.7', 'other.example'] });
  if (outside) same(await asked(), 'none', 'with a list that does not name it');
  if (outside) await one.updateNetwork({ denyOut: ['0.0.0.0/0'], allowOut: [outside[0]] });
  if (outside) same(await asked(), 'reached', 'with a list that names it');
  await one.updateNetwork({});
  same((await one.getInfo()).allowInternetAccess, true);
  if (outside) same(await asked(), 'reached', 'with no rules');
  await fails(one.updateNetwork({ allowOut: ['a.example'] }), 'SandboxError', "ALL_TRAFFIC");
  await fails(one.updateNetwork({ denyOut: ['a.example'] }), 'SandboxError', 'invalid denied CIDR a.example');
  await one.pause();
  await fails(one.updateNetwork({}), 'SandboxError', 'paused');
  await one.kill();
  await fails(one.updateNetwork({}), 'NotFoundError');
});
test('one that begins without the internet is given it later', async () => {
  const one = await create({ allowInternetAccess: false });
  const outside = process.env.OUTSIDE?.split(':');
  if (outside) same(await reaches(one, ...outside), 'none', 'at first');
  await one.updateNetwork({ allowInternetAccess: true });
  same((await one.getInfo()).allowInternetAccess, true);
  if (outside) same(await reaches(one, ...outside), 'reached', 'later');
  await one.kill();
});
