// Commands and terminals.
import { box, fails, holds, listed, same, skip, test, until } from './common.mjs';

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
  const isListed = async () => (await box.commands.list()).some((each) => each.pid === handle.pid);
  await until(async () => !(await isListed()), 'its end');
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
