// The same things with other values: names, paths, codes, sizes and orders that something could be wrong with.
import { setTimeout as sleep } from 'node:timers/promises';
import { Sandbox, box, create, e2b, fails, holds, isAtLeast, listed, same, skip, test, until } from './common.mjs';

for (const code of [1, 2, 126, 127, 128, 137, 255]) {
  test(`a command ends with ${code}`, async () => {
    const error = await fails(box.commands.run(`exit ${code}`), 'CommandExitError');
    same([error.exitCode, error.error], [code, `exit status ${code}`]);
  });
}
for (const [signal, words] of [['TERM', 'terminated'], ['INT', 'interrupt'], ['SEGV', 'segmentation fault'], ['ABRT', 'aborted']]) {
  test(`a command that SIG${signal} ends says ${words}`, async () => {
    const error = await fails(box.commands.run(`kill -${signal} $$; sleep 5`), 'CommandExitError');
    same(error.error, `signal: ${words}`);
  });
}
for (const [what, name] of [
  ['blanks', ' a  b '],
  ['quotes', `it's "so"`],
  ['a backslash', 'a\\b'],
  ['a percent sign', '100%25'],
  ['a plus and a question mark', 'a+b?c&d=e#f'],
  ['a line break', 'a\nb'],
  ['letters of other scripts', 'файл-文件-😀'],
  ['a dash first', '-rf'],
  ['a dot first', '.hidden'],
  ['255 bytes', 'n'.repeat(255)],
]) {
  test(`a file whose name has ${what} is written, told of, and removed`, async () => {
    const path = `/home/user/names/${name}`;
    same((await box.files.write(path, what)).path, path);
    same(await box.files.read(path), what);
    same((await box.files.getInfo(path)).name, name);
    holds((await box.files.list('/home/user/names')).some((one) => one.name === name), 'it is listed');
    await box.files.remove(path);
    same(await box.files.exists(path), false);
  });
}
test('a name that is too long is an error', async () => {
  await fails(box.files.write(`/home/user/${'n'.repeat(256)}`, 'x'), 'SandboxError');
});
for (const size of [1, 4095, 65_536, 1_048_577]) {
  test(`a file of ${size} bytes comes back`, async () => {
    const bytes = Uint8Array.from({ length: size }, (_, at) => (at * 31) % 256);
    await box.files.write('sized', new Blob([bytes]));
    const back = await box.files.read('sized', { format: 'bytes' });
    holds(back.length === size && back.every((byte, at) => byte === bytes[at]), `${back.length} bytes`);
    same((await box.files.getInfo('sized')).size, size);
  });
}
for (const [path, whole] of [['a/../b.txt', '/home/user/b.txt'], ['~/c.txt', '/home/user/c.txt'], ['./d.txt', '/home/user/d.txt'], ['/tmp//e.txt', '/tmp/e.txt']]) {
  test(`${path} leads to ${whole}`, async () => {
    await box.files.write(path, path);
    same((await box.commands.run(`cat ${whole}`)).stdout, path);
  });
}
for (const mode of [0o600, 0o755, 0o444, 0o1777, 0o2755]) {
  test(`a mode ${mode.toString(8)} is told`, async () => {
    await box.commands.run(`rm -f moded; echo x > moded; chmod ${mode.toString(8)} moded`);
    same((await box.files.getInfo('moded')).mode, mode & 0o777);
  });
}
test('a folder is renamed with what is in it', async () => {
  await box.commands.run('rm -rf from to; mkdir -p from/deep; echo x > from/deep/file');
  await box.files.rename('from', 'to');
  same(await box.files.read('to/deep/file'), 'x\n');
});
test('renaming replaces a file that is there', async () => {
  await box.files.write('first', '1');
  await box.files.write('second', '2');
  await box.files.rename('first', 'second');
  same(await box.files.read('second'), '1');
});
test('a link is removed, and what it leads to is not', async () => {
  await box.commands.run('mkdir -p kept-dir; echo x > kept-dir/file; ln -sfn kept-dir link-dir');
  await box.files.remove('link-dir');
  same([await box.files.exists('link-dir'), await box.files.read('kept-dir/file')], [false, 'x\n']);
});
test('a link to nothing is there and cannot be read', async () => {
  await box.commands.run('ln -sfn nowhere-at-all broken');
  await fails(box.files.read('broken'), 'NotFoundError');
  holds((await box.files.list('/home/user')).some((one) => one.name === 'broken'), 'it is listed');
});
test('links that lead to each other come to an end', async () => {
  await box.commands.run('rm -rf loop; mkdir loop; ln -s ../loop loop/again');
  same((await box.files.list('loop', { depth: 20 })).map((one) => one.name), ['again']);
});
test('an empty folder is listed as one', async () => {
  await box.files.makeDir('nothing-in-it');
  same(await box.files.list('nothing-in-it'), []);
});
test('two thousand files are listed in their order', async () => {
  await box.commands.run('rm -rf many; mkdir many; cd many; seq -w 2000 | xargs touch');
  const names = (await box.files.list('many')).map((one) => one.name);
  same([names.length, names[0], names.at(-1)], [2000, '0001', '2000']);
  same([...names].sort(), names);
});
test('fifty files are written at once', async () => {
  await Promise.all(Array.from({ length: 50 }, (_, n) => box.files.write(`at-once/${n}`, String(n))));
  same((await box.commands.run('cat at-once/* | wc -c; ls at-once | wc -l')).stdout, '90\n50\n');
});
test('what is written is there for a command at once', async () => {
  for (let n = 0; n < 20; n += 1) {
    await box.files.write('turns', String(n));
    same((await box.commands.run('cat turns')).stdout, String(n));
  }
});
test('a special file is no file', async () => {
  await box.commands.run('rm -f pipe; mkfifo pipe');
  await fails(box.files.read('pipe'), 'SandboxError');
});
test('a file that grows while it is read does not hold anybody up', async () => {
  await box.commands.run('echo line > grows');
  const grows = await box.commands.run('while true; do echo line >> grows; done', { background: true });
  holds((await box.files.read('grows')).startsWith('line\n'), 'it is read');
  await grows.kill();
});
test('variables have any value', async () => {
  const values = { EMPTY: '', QUOTED: `a 'b' "c"`, LINES: 'a\nb', UTF: 'é😀', EQUALS: 'a=b=c' };
  const said = await box.commands.run('printf "%s|" "$EMPTY" "$QUOTED" "$LINES" "$UTF" "$EQUALS"', { envs: values });
  same(said.stdout, `|a 'b' "c"|a\nb|é😀|a=b=c|`);
});
test('a variable of a command is of that command', async () => {
  await box.commands.run('export LEFT=x', { envs: { RIGHT: 'y' } });
  same((await box.commands.run('echo "$LEFT$RIGHT"')).stdout, '\n');
});
test('a command has several lines', async () => {
  same((await box.commands.run('for n in 1 2 3\ndo\n  echo $n\ndone | tac\ncat <<X\nhere\nX')).stdout, '3\n2\n1\nhere\n');
});
test('a command of fifty thousand characters is run, and one that is too long refused', async () => {
  const command = (length) => `printf %s '${'x'.repeat(length)}' | wc -c`;
  same((await box.commands.run(command(50_000))).stdout.trim(), '50000');
  await fails(box.commands.run(command(100_000)), 'SandboxError', 'write it to a file');
});
test('both outputs keep their order', async () => {
  const { stdout, stderr } = await box.commands.run('for n in $(seq 500); do echo o$n; echo e$n >&2; done');
  same([stdout.split('\n').length, stderr.split('\n').length], [501, 501]);
  holds(stdout.endsWith('o500\n') && stderr.endsWith('e500\n'), 'the last lines');
});
test('bytes that are no text do no harm', async () => {
  holds((await box.commands.run("printf 'a\\xff\\xfeb'")).stdout.startsWith('a'), 'the beginning');
});
test('a command that closes its output goes on', async () => {
  same((await box.commands.run('exec >&- 2>&-; sleep 0.1; exit 0')).exitCode, 0);
});
test('a command that has ended cannot be killed', async () => {
  const handle = await box.commands.run('true', { background: true });
  await handle.wait();
  same(await box.commands.kill(handle.pid), false);
});
test('the output of a command is told to whoever waits and whoever listens', async () => {
  const heard = [];
  const done = await box.commands.run('echo a; echo b', { onStdout: (text) => void heard.push(text) });
  same(heard.join(''), done.stdout);
});
test('a program at a port inside is asked from inside', async () => {
  const server = await box.commands.run('python3 -m http.server 8765 --bind 127.0.0.1', { background: true });
  const ask = `python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8765/').status)"`;
  await until(async () => (await box.commands.run(`${ask} || true`)).stdout.trim() === '200', 'the program');
  await server.kill();
});
test('a sandbox without a name for anything is like any other', async () => {
  const one = await create({ metadata: {} });
  same((await one.getInfo()).metadata, {});
  same((await one.commands.run('echo x', { envs: {} })).stdout, 'x\n');
  await one.kill();
});
test('lists begin with the newest', async () => {
  const own = `order-${Date.now()}`;
  const made = [];
  for (let n = 0; n < 3; n += 1) made.push(await create({ metadata: { own } }));
  same((await listed({ metadata: { own } })).map((one) => one.sandboxId), made.map((one) => one.sandboxId).reverse());
  await Promise.all(made.map((one) => one.kill()));
});
test('twenty sandboxes are made at once', async () => {
  const all = await Promise.all(Array.from({ length: 20 }, () => create()));
  const said = await Promise.all(all.map((one, n) => one.commands.run(`echo ${n}`)));
  same(said.map((each) => each.stdout), all.map((_, n) => `${n}\n`));
  same((await Promise.all(all.map((one) => one.kill()))).every(Boolean), true);
});
test('what one sandbox does, another does not see', async () => {
  const [one, two] = await Promise.all([create(), create()]);
  await one.files.write('/tmp/mine', 'x');
  await one.commands.run('sleep 77', { background: true });
  same([await two.files.exists('/tmp/mine'), (await two.commands.run("pgrep -fc '[s]leep 77' || true")).stdout.trim()], [false, '0']);
  await Promise.all([one.kill(), two.kill()]);
});
test('pausing and resuming many times keeps everything', async () => {
  const one = await create();
  await one.commands.run('n=0; while true; do n=$((n+1)); echo $n > /tmp/n; sleep 0.02; done', { background: true });
  let before = 0;
  for (let n = 0; n < 5; n += 1) {
    await until(async () => Number(await one.files.read('/tmp/n').catch(() => 0)) > before, 'the loop');
    before = Number(await one.files.read('/tmp/n'));
    await one.pause();
    await one.connect();
  }
  await one.kill();
});
test('a terminal runs what is typed, as the user', async () => {
  let seen = '';
  const terminal = await box.pty.create({ cols: 100, rows: 30, onData: (data) => void (seen += Buffer.from(data).toString()) });
  await box.pty.sendInput(terminal.pid, Buffer.from('echo "$(whoami) $(tput cols 2>/dev/null || stty size)"; exit\n'));
  await until(() => seen.includes('user '), `what is said in ${seen}`);
  await terminal.wait().catch(() => {});
});
test('a terminal that is resized knows it', async () => {
  let seen = '';
  const terminal = await box.pty.create({ cols: 80, rows: 24, onData: (data) => void (seen += Buffer.from(data).toString()) });
  await box.pty.resize(terminal.pid, { cols: 123, rows: 45 });
  await box.pty.sendInput(terminal.pid, Buffer.from('stty size\n'));
  await until(() => seen.includes('45 123'), `the size in ${seen}`);
  await terminal.kill();
});
test('input in many pieces is one input', async () => {
  const handle = await box.commands.run('cat | wc -c', { background: true, stdin: true });
  for (let n = 0; n < 50; n += 1) await box.commands.sendStdin(handle.pid, 'x'.repeat(100));
  if (!handle.closeStdin && !box.commands.closeStdin) skip('the SDK does not close input');
  await (box.commands.closeStdin ? box.commands.closeStdin(handle.pid) : handle.closeStdin());
  same((await handle.wait()).stdout.trim(), '5000');
});
test('watching ends when it is stopped', async () => {
  await box.files.makeDir('ends');
  const seen = [];
  const handle = await box.files.watchDir('ends', (event) => void seen.push(event.name));
  await box.files.write('ends/one', 'x');
  await until(() => seen.includes('one'), 'the first');
  await handle.stop();
  await box.files.write('ends/two', 'x');
  await sleep(300);
  same(seen.includes('two'), false);
});
test('errors of the SDK are of its own kinds', async () => {
  const error = await fails(box.files.read('/no/such'), 'NotFoundError');
  holds(error instanceof e2b.SandboxError, 'a NotFoundError is a SandboxError');
});
