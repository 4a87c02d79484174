// Files.
import { box, fails, holds, listed, same, test, until } from './common.mjs';

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
  const { path } = await box.files.write('secret', 'x', { user: 'root' });
  same(await box.files.read(path, { user: 'root' }), 'x');
  await fails(box.files.read(path), 'SandboxError');
  await fails(box.files.write('/etc/mine', 'x'), 'SandboxError');
  same((await box.files.getInfo(path, { user: 'root' })).owner, 'root');
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
const XATTR = `python3 -c 'import os, sys; print(os.getxattr(sys.argv[1], "user.e2b." + sys.argv[2]).decode())'`;
test('what is to be kept with a file is told wherever it is', async () => {
  const kept = { kind: '', 'made-by': 'a "program" ~' };
  for (const useOctetStream of [true, false]) {
    const metadata = { 'Made-By': 'a "program" ~', kind: '' };
    same((await box.files.write('kept/a', 'x', { metadata, useOctetStream })).metadata, kept);
    same((await box.files.getInfo('kept/a')).metadata, kept);
    same((await box.files.list('kept')).map((one) => [one.name, one.metadata]), [['a', kept]]);
    same((await box.files.rename('kept/a', 'kept/b')).metadata, kept);
    same((await box.commands.run(`${XATTR} kept/b made-by`)).stdout, 'a "program" ~\n');
    await box.files.write('kept/b', 'y', { metadata: { other: 'one' } });
    same((await box.files.getInfo('kept/b')).metadata, { other: 'one' }, 'all of it is replaced');
    await box.files.write('kept/b', 'z', { useOctetStream });
    same((await box.files.getInfo('kept/b')).metadata, undefined, 'what is written without any');
    await box.files.remove('kept/b');
  }
});
test('several files have the same kept with them, and folders and programs what is theirs', async () => {
  const all = await box.files.write([{ path: 'kept/c', data: 'x' }, { path: 'kept/d', data: 'y' }], { metadata: { of: 'both' } });
  same(all.map((one) => one.metadata), [{ of: 'both' }, { of: 'both' }]);
  same((await box.files.list('kept')).map((one) => one.metadata), [{ of: 'both' }, { of: 'both' }]);
  await box.commands.run(`python3 -c 'import os; os.setxattr("kept", "user.e2b.by", b"hand"); os.setxattr("kept", "user.else", b"not told"); os.setxattr("kept", "user.e2b.torn", bytes([255]))'`);
  same((await box.files.getInfo('kept')).metadata, { by: 'hand' });
  await box.commands.run('ln -s c kept/link');
  same((await box.files.getInfo('kept/link')).metadata, { of: 'both' }, 'what a link leads to');
  await box.files.remove('kept/link');
});
test('more than may be kept with a file is refused, and nothing is written', async () => {
  await fails(box.files.write('kept/long', 'x', { metadata: { k: 'x'.repeat(4096) } }), 'SandboxError', 'metadata');
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, '']));
  await fails(box.files.write('kept/many', 'x', { metadata: many }), 'SandboxError', 'metadata');
  same((await box.files.list('kept')).map((one) => one.name), ['c', 'd']);
});
test('events have the entry of what is there, where that is asked for', async () => {
  const seen = [];
  const handle = await box.files.watchDir('kept', (event) => void seen.push(event), { includeEntry: true, allowNetworkMounts: true });
  await box.files.write('kept/e', 'xyz', { metadata: { of: 'e' } });
  const of = (type, name) => seen.filter((event) => event.type === type && event.name === name);
  await until(() => of('create', 'e').length, 'that it is made');
  const { entry } = of('create', 'e')[0];
  same([entry.path, entry.name, entry.type, entry.size, entry.metadata], ['/home/user/kept/e', 'e', 'file', 3, { of: 'e' }]);
  await box.commands.run('chmod 600 kept/e');
  await until(() => of('chmod', 'e').some(({ entry }) => entry?.mode === 0o600), 'its mode');
  await box.commands.run('echo more >> kept/e');
  await until(() => of('write', 'e').some(({ entry }) => entry?.size === 8), 'its size');
  await box.files.rename('kept/e', 'kept/f');
  await box.files.remove('kept/f');
  await until(() => of('remove', 'f').length && of('rename', 'e').length, 'that it is gone');
  same([...of('remove', 'f'), ...of('rename', 'e')].map(({ entry }) => entry ?? null), [null, null]);
  await handle.stop();
  const plain = [];
  const other = await box.files.watchDir('kept', (event) => void plain.push(event));
  await box.commands.run('touch kept/g');
  await until(() => plain.some(({ name }) => name === 'g'), 'an event');
  same(plain.some(({ entry }) => entry), false, 'entries that nobody asked for');
  await other.stop();
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
