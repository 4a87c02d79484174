// Templates, by the SDK's own builder.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sandbox, create, e2b, fails, holds, same, skip, test } from './common.mjs';

const { Template } = e2b;
const name = (of) => `js-${of}`;
/** Builds it; what was logged comes back. */
async function build(template, as, options = {}) {
  const logs = [];
  const info = await Template.build(template, as, { onBuildLogs: (log) => logs.push(log.message), ...options });
  return { info, logs };
}
const base = () => Template().fromBaseImage();

test('a template is built, and sandboxes begin with it', async () => {
  const template = base()
    .setEnvs({ OWN: 'a b', MORE: '$OWN c' })
    .setWorkdir('/home/user/app')
    .runCmd('echo $MORE > made; pwd > where; id -un > who')
    .runCmd('echo x > /etc/of-root', { user: 'root' });
  const { info, logs } = await build(template, name('first'));
  holds(logs.some((line) => line.includes('echo $MORE > made')), logs.join('\n'));
  const one = await create(name('first'));
  same((await one.commands.run('cat made where who /etc/of-root; pwd; echo $OWN')).stdout, 'a b c\n/home/user/app\nuser\nx\n/home/user/app\na b\n');
  same((await one.commands.run('stat -c %U /home/user/app')).stdout, 'user\n');
  same((await one.commands.run('echo $OWN', { envs: { OWN: 'own' } })).stdout, 'own\n');
  same((await one.getInfo()).templateId, name('first'));
  const two = await create(info.templateId);
  same(await two.files.read('app/made'), 'a b c\n', 'by its id');
  await Promise.all([one.kill(), two.kill()]);
});
test('what a step prints is logged as it comes', async () => {
  const { logs } = await build(base().runCmd('for n in 1 2 3; do echo line $n; echo err $n >&2; done'), name('logs'), { skipCache: true });
  for (const line of ['line 1', 'line 3', 'err 2']) holds(logs.includes(line), `${line} in ${logs}`);
});
test('all of very many lines is told', async () => {
  const { logs } = await build(base().runCmd('seq 1000'), name('many'), { skipCache: true });
  same(logs.filter((line) => /^\d+$/.test(line)).length, 1000);
});
test('layers of before are used again, from the first that differs on', async () => {
  const own = Date.now();
  const made = (last) => base().runCmd(`date +${own}%N > /home/user/when`).runCmd(`echo ${last} > /home/user/last`);
  const when = async (as) => {
    const one = await create(as);
    const all = [await one.files.read('when'), await one.files.read('last')];
    await one.kill();
    return all;
  };
  await build(made('a'), name('cache'), { skipCache: true });
  const first = await when(name('cache'));
  const { logs } = await build(made('b'), name('cache'));
  holds(logs.some((line) => line.startsWith('CACHED')), logs.join('\n'));
  const second = await when(name('cache'));
  same(second, [first[0], 'b\n']);
  await build(made('b'), name('cache'), { skipCache: true });
  const third = await when(name('cache'));
  holds(third[0] !== first[0], 'nothing of before');
});
test('files are copied as a Dockerfile would', async () => {
  const context = mkdtempSync(join(tmpdir(), 'copied-'));
  const write = (path, text) => {
    mkdirSync(join(context, path, '..'), { recursive: true });
    writeFileSync(join(context, path), text);
  };
  write('one.txt', 'one');
  write('folder/a.py', 'a');
  write('folder/deep/b.py', 'b');
  write('folder/skipped.log', 'no');
  symlinkSync('a.py', join(context, 'folder/link'));
  const template = Template({ fileContextPath: context, fileIgnorePatterns: ['**/*.log'] })
    .fromBaseImage()
    .copy('one.txt', '/home/user/renamed.txt')
    .copy('one.txt', 'into/', { user: 'root', mode: 0o600 })
    .copy('folder', '/home/user/all')
    .copy('folder/*.py', '/home/user/some');
  await build(template, name('copy'));
  const one = await create(name('copy'));
  const seen = await one.commands.run('cd /home/user; cat renamed.txt; echo; find all some into | sort; readlink all/link; stat -c "%U %a" into/one.txt renamed.txt');
  same(seen.stdout.split('\n'), ['one', 'all', 'all/a.py', 'all/deep', 'all/deep/b.py', 'all/link', 'into', 'into/one.txt', 'some', 'some/a.py', 'a.py', 'root 600', 'user 644', '']);
  await one.kill();
  // Another content is another layer.
  write('one.txt', 'two');
  await build(Template({ fileContextPath: context }).fromBaseImage().copy('one.txt', '/home/user/renamed.txt'), name('copy'));
  const two = await create(name('copy'));
  same(await two.files.read('renamed.txt'), 'two');
  await two.kill();
  rmSync(context, { recursive: true });
});
test('a step that fails fails the build, and says which', async () => {
  const error = await fails(build(base().runCmd('true').runCmd('echo said; exit 3'), name('fails')), 'BuildError', 'exit status 3');
  holds(error.message.includes("failed to run command 'echo said; exit 3'"), error.message);
  await fails(Sandbox.create(name('fails')), 'SandboxError', 'not found');
  same(await Template.exists(name('fails')), false);
});
test('a user whom there is not fails the build', async () => {
  await fails(build(base().setUser('root123').runCmd('whoami'), name('nobody')), 'BuildError', "invalid username: 'root123'");
});
test('a template runs as the user that it names', async () => {
  await build(base().setUser('root').setWorkdir('/opt/own').runCmd('touch mine'), name('root'));
  const one = await create(name('root'));
  same((await one.commands.run('id -un; pwd; stat -c %U mine')).stdout, 'root\n/opt/own\nroot\n');
  same((await one.commands.run('id -un', { user: 'user' })).stdout, 'user\n');
  await one.kill();
});
test('what a template starts runs in each sandbox, and is ready', async () => {
  const template = base()
    .runCmd('mkdir -p /home/user/site; echo served > /home/user/site/index.html')
    .setStartCmd('cd /home/user/site && exec python3 -m http.server 8123', e2b.waitForPort ? 'python3 -c "import urllib.request as u; u.urlopen(\'http://127.0.0.1:8123\')"' : 'sleep 1');
  await build(template, name('start'));
  const ask = `python3 -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8123').read().decode())"`;
  const one = await create(name('start'));
  same((await one.commands.run(ask)).stdout.trim(), 'served', 'at once');
  await one.pause({ keepMemory: false });
  await one.connect();
  same((await one.commands.run(ask)).stdout.trim(), 'served', 'after it began anew');
  await one.kill();
});
test('what fails at its start fails the build', async () => {
  await fails(build(base().setStartCmd('exit 3', 'false'), name('never')), 'BuildError', 'the start command ended with exit code 3');
});
test('a template is made from another', async () => {
  await build(base().setEnvs({ A: '1' }).runCmd('echo a > /home/user/a'), name('below'));
  await build(Template().fromTemplate(name('below')).setEnvs({ B: '$A' }).runCmd('echo b > /home/user/b'), name('above'));
  const one = await create(name('above'));
  same((await one.commands.run('cat a b; echo $A $B')).stdout, 'a\nb\n1 1\n');
  await one.kill();
  await fails(build(Template().fromTemplate('no-such').runCmd('true'), name('above')), 'BuildError', "template 'no-such' not found");
});
test('an image that is not here is named with what adds it', async () => {
  await fails(build(Template().fromImage('no-such:1').runCmd('true'), name('image')), 'BuildError', 'lamplight image add no-such-1');
});
test('an image of a registry is fetched once, for whom the registry knows', async () => {
  const image = process.env.IMAGE;
  if (!image) skip('there is no registry');
  const known = { username: 'ada', password: 'secret' };
  const template = (login) => Template().fromImage(image, login).runCmd('echo $OF_THE_IMAGE > /home/user/seen');
  const first = await build(template(known), name('fetched'));
  holds(first.logs.some((line) => line.startsWith('Fetching layer 1 of 1')), first.logs.join('\n'));
  holds(!first.logs.join('\n').includes('secret'), 'the password is in the log');
  const one = await create(name('fetched'));
  same((await one.commands.run('cat /etc/os-release seen; id -un')).stdout, 'ID=tiny\n7\nuser\n');
  await one.kill();
  const google = Template().fromGCPRegistry(image, { serviceAccountJSON: { a: 1 } }).runCmd('true');
  const again = await build(google, name('fetched-again'));
  holds(!again.logs.some((line) => line.startsWith('Fetching layer')), again.logs.join('\n'));
  await fails(build(template({ ...known, password: 'wrong' }), name('unknown')), 'BuildError', '401');
  await fails(build(template(), name('unknown')), 'BuildError', 'whom it knows');
});
test('a registry that is not in the list is not asked', async () => {
  await fails(build(Template().fromImage('127.0.0.1:1/team/tool:1').runCmd('true'), name('image')), 'BuildError', 'e2b.registries');
  const amazon = { accessKeyId: 'a', secretAccessKey: 'b', region: 'c' };
  await fails(build(Template().fromAWSRegistry('127.0.0.1:1/a', amazon).runCmd('true'), name('image')), 'BuildError', 'get-login-password');
});
test('sandboxes of a template have the size that it asks for, and never more than there is', async () => {
  const size = async (as, options) => {
    await build(base().runCmd('true'), as, options);
    const one = await create(as);
    const { cpuCount, memoryMB } = await one.getInfo();
    await one.kill();
    return { cpuCount, memoryMB };
  };
  same(await size(name('small'), { cpuCount: 1, memoryMB: 256 }), { cpuCount: 1, memoryMB: 256 });
  const one = await create();
  const most = await one.getInfo();
  await one.kill();
  same(await size(name('large'), { cpuCount: 1_000, memoryMB: 100_000_000 }), { cpuCount: most.cpuCount, memoryMB: most.memoryMB });
  await fails(size(name('nothing'), { memoryMB: 1 }), 'BuildError', 'memory_bytes is 1048576; the least is');
});
test('names and tags lead to builds', async () => {
  await build(base().runCmd('echo 1 > /home/user/n'), `${name('tags')}:v1`);
  const { info } = await build(base().runCmd('echo 2 > /home/user/n'), name('tags'), { tags: ['v2', 'latest'] });
  same([await Template.exists(name('tags')), await Template.exists(name('no-such'))], [true, false]);
  const read = async (as) => {
    const one = await create(as);
    const n = (await one.files.read('n')).trim();
    await one.kill();
    return n;
  };
  same([await read(`${name('tags')}:v1`), await read(`${name('tags')}:v2`)], ['1', '2']);
  const assigned = await Template.assignTags(`${name('tags')}:v1`, ['latest', 'stable']);
  same([...assigned.tags].sort(), ['latest', 'stable', 'v1']);
  same(await read(`${name('tags')}:latest`), '1', 'a tag moves');
  const tags = await Template.getTags(info.templateId);
  same(tags.map((one) => one.tag).sort(), ['latest', 'stable', 'v1', 'v2']);
  same(tags.find((one) => one.tag === 'v2').buildId, info.buildId);
  await Template.removeTags(name('tags'), ['stable', 'v2']);
  same((await Template.getTags(name('tags'))).map((one) => one.tag).sort(), ['latest', 'v1']);
  await fails(Template.assignTags(':x', 'y'), 'TemplateError');
  await fails(Template.assignTags(`${name('tags')}:no`, 'y'), 'TemplateError', 'not found');
});
test('a build in the background says how it is', async () => {
  const info = await Template.buildInBackground(base().runCmd('sleep 1; echo done'), name('background'), { skipCache: true });
  let status = await Template.getBuildStatus(info);
  holds(['waiting', 'building'].includes(status.status), status.status);
  while (['waiting', 'building'].includes(status.status)) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    status = await Template.getBuildStatus(info);
  }
  same(status.status, 'ready');
  const behind = await Template.getBuildStatus(info, { logsOffset: status.logEntries.length });
  same(behind.logEntries, [], 'entries behind the last');
});
