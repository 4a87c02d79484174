// The code interpreter's SDK, where it is installed beside the other.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fails, holds, isAtLeast, made, same, skip, test } from './common.mjs';

const require = createRequire(`${process.argv[2]}/package.json`);
const isThere = isAtLeast('2.46.0') && existsSync(`${process.argv[2]}/node_modules/@e2b/code-interpreter`);
let box;
const ran = async (name, run) =>
  test(name, async () => {
    if (!isThere) skip('the SDK of the code interpreter is not installed');
    await run();
  });

ran('code is run, and its variables stay', async () => {
  const { Sandbox } = require('@e2b/code-interpreter');
  box = await Sandbox.create({ envs: { GIVEN: 'x' } });
  made.push(box);
  const first = await box.runCode('x = 1\nprint("said")\nx + 1');
  same([first.text, first.logs.stdout, first.logs.stderr, first.executionCount], ['2', ['said\n'], [], 1]);
  const second = await box.runCode('x += 1; x');
  same([second.text, second.executionCount], ['2', 2]);
  same((await box.runCode('import os; print(os.environ["GIVEN"], os.getcwd(), os.environ["USER"])')).logs.stdout, ['x /home/user user\n']);
});
ran('what is printed comes as it is printed', async () => {
  const seen = [];
  const at = Date.now();
  await box.runCode('import time, sys\nfor n in range(3):\n    print(n)\n    time.sleep(0.2)\nprint("e", file=sys.stderr)', {
    onStdout: (message) => void seen.push([message.line, Date.now() - at]),
    onStderr: (message) => void seen.push([message.line, message.error]),
  });
  same(seen.map(([line]) => line), ['0\n', '1\n', '2\n', 'e\n']);
  holds(seen[2][1] - seen[0][1] >= 200, `not all at once: ${seen}`);
});
ran('programs that code starts are heard too', async () => {
  const ended = await box.runCode('import subprocess\nfor n in range(200):\n    pass\nsubprocess.run(["sh", "-c", "seq 2000; echo err >&2"], check=True).returncode');
  same([ended.text, ended.logs.stdout.join('').trim().split('\n').length, ended.logs.stderr.join('')], ['0', 2000, 'err\n']);
});
ran('an error is told by its name, and the next run goes on', async () => {
  const { error } = await box.runCode('def f():\n    return 1 / 0\nf()');
  same([error.name, error.value], ['ZeroDivisionError', 'division by zero']);
  holds(error.traceback.includes('line 2') && error.traceback.includes('in f'), error.traceback);
  same((await box.runCode('def')).error.name, 'SyntaxError');
  same((await box.runCode('x')).text, '2');
});
ran('values are shown in all ways that they know', async () => {
  const shown = await box.runCode(`
class Shown:
    def __repr__(self): return "as text"
    def _repr_html_(self): return "<b>as html</b>"
    def _repr_png_(self): return b"png"
    def _repr_json_(self): return {"a": 1}
display(Shown())
Shown()`);
  same(shown.results.length, 2);
  for (const result of shown.results) {
    same([result.text, result.html, result.png, result.json], ['as text', '<b>as html</b>', 'cG5n', { a: 1 }]);
  }
  same(shown.results.map((result) => result.isMainResult), [false, true]);
});
ran('what is no number is null', async () => {
  const code = 'class Table:\n    def _repr_json_(self): return {"a": [1.5, float("nan"), float("inf")]}\nTable()';
  same((await box.runCode(code)).results[0].json, { a: [1.5, null, null] });
});
ran('code may wait for others', async () => {
  same((await box.runCode('import asyncio\nasync def later():\n    await asyncio.sleep(0.01)\n    return 7\nawait later()')).text, '7');
});
ran('variables of one run are of that run', async () => {
  same((await box.runCode('import os; os.environ["ONCE"]', { envs: { ONCE: 'y' } })).text, "'y'");
  same((await box.runCode('os.environ.get("ONCE", "none")')).text, "'none'");
});
ran('contexts are apart', async () => {
  const context = await box.createCodeContext({ cwd: '/tmp' });
  same([context.language, context.cwd], ['python', '/tmp']);
  same((await box.runCode('x', { context })).error.name, 'NameError');
  await box.runCode('import os; x = os.getcwd()', { context });
  same([(await box.runCode('x', { context })).text, (await box.runCode('x')).text], ["'/tmp'", '2']);
  same((await box.listCodeContexts()).length, 2);
  await box.restartCodeContext(context);
  same((await box.runCode('x', { context })).error.name, 'NameError');
  await box.removeCodeContext(context);
  await fails(box.runCode('x', { context }), 'NotFoundError');
  same((await box.listCodeContexts()).length, 1);
});
ran('what takes too long is interrupted', async () => {
  await fails(box.runCode('import time\ntime.sleep(600)', { timeoutMs: 1_000 }), 'TimeoutError');
  same((await box.runCode('x')).text, '2');
  // It says something all the time.
  await fails(box.runCode('while True:\n    print(1)', { timeoutMs: 1_000 }), 'TimeoutError');
  same((await box.runCode('x')).text, '2');
});
ran('a program that ends itself begins anew', async () => {
  await box.runCode('import os; os._exit(3)');
  same((await box.runCode('x')).error.name, 'NameError');
});
ran('a language that does not run here is refused', async () => {
  for (const language of ['r', 'java']) {
    const { error } = await box.runCode('1', { language });
    same([error.name, error.value.split(';')[0]], ['UnsupportedLanguage', `Language ${language} is not supported here`]);
  }
  await fails(box.createCodeContext({ language: 'r' }), 'SandboxError', '400');
});
ran('bash keeps what was defined', async () => {
  const bash = (code, options = {}) => box.runCode(code, { language: 'bash', ...options });
  const first = await bash('a="b c"; f() { echo "f $a"; }; cd /tmp; echo out; echo err >&2');
  same([first.logs.stdout, first.logs.stderr, first.error, first.executionCount], [['out\n'], ['err\n'], undefined, 1]);
  same((await bash('f; pwd')).logs.stdout.join(''), 'f b c\n/tmp\n');
  same((await bash('echo $GIVEN $ONCE', { envs: { ONCE: "it's" } })).logs.stdout, ["x it's\n"]);
  same((await bash('echo "[${ONCE-none}]"')).logs.stdout, ['[none]\n']);
  const failed = (await bash('(exit 7)')).error;
  same([failed.name, failed.value], ['ExitStatus', 'exit status 7']);
  holds((await bash('if')).logs.stderr.join('').includes('syntax error'), 'what bash says of it');
  await fails(bash('while true; do echo 1; done', { timeoutMs: 1_000 }), 'TimeoutError');
  await fails(bash('sleep 600', { timeoutMs: 1_000 }), 'TimeoutError');
  await fails(bash('while true; do :; done', { timeoutMs: 1_000 }), 'TimeoutError');
  same((await bash('echo $a')).logs.stdout, ['b c\n'], 'after it was interrupted');
  same((await bash('exit 3')).error.value, 'exit status 3');
  same((await bash('echo "[$a]"')).logs.stdout, ['[]\n'], 'after it has ended itself');
});
ran('JavaScript keeps what was defined, and waits at its top', async () => {
  const js = (code, options = {}) => box.runCode(code, { language: 'js', ...options });
  same((await js('const k = 5; class C {}; function f() { throw new TypeError("bad") }')).results.length, 0);
  same((await js('k + 1')).text, '6');
  const said = await js('console.log("out"); console.error("err"); "text"');
  same([said.logs.stdout, said.logs.stderr, said.text], [['out\n'], ['err\n'], 'text']);
  same((await js('await new Promise((done) => setTimeout(() => done([1, { a: 2 }]), 10))')).results[0].json, [1, { a: 2 }]);
  const imported = await js("import { join as put } from 'node:path'\nimport fs, { constants } from 'node:fs';\n[put('a', 'b'), typeof fs.readFileSync, constants.R_OK]");
  same(imported.results[0].json, ['a/b', 'function', 4]);
  const { error } = await js('f()');
  same([error.name, error.value], ['TypeError', 'bad']);
  holds(error.traceback.includes('at f (cell') && !error.traceback.includes('.cjs'), error.traceback);
  same((await js('const {')).error.name, 'SyntaxError');
  same((await js('process.env.ONCE', { envs: { ONCE: 'y' } })).text, 'y');
  same((await js('process.env.ONCE ?? process.cwd()')).text, '/home/user');
  for (const code of ['while (true) {}', 'await new Promise(() => {})', 'for (;;) console.log(1)']) {
    await fails(js(code, { timeoutMs: 1_000 }), 'TimeoutError');
  }
  same((await js('k')).text, '5', 'after it was interrupted');
  same((await js('console.log("x")')).logs.stdout, ['x\n'], 'and nothing of before');
  const context = await box.createCodeContext({ language: 'javascript', cwd: '/tmp' });
  same([context.language, (await box.runCode('process.cwd() + typeof k', { context })).text], ['javascript', '/tmpundefined']);
  await box.removeCodeContext(context);
  same((await js('process.exit(3)')).error.value, 'exit status 3');
  same((await js('typeof k')).text, 'undefined', 'after it has ended itself');
});
ran('TypeScript runs where node takes types out, and is refused by its name elsewhere', async () => {
  const ts = () => box.runCode('const n: number = 3; n', { language: 'ts' });
  const [major, minor] = (await box.commands.run('node --version')).stdout.slice(1).split('.').map(Number);
  if (major > 23 || (major === 23 && minor >= 2) || (major === 22 && minor >= 13)) {
    same((await ts()).text, '3');
    same((await box.runCode('n', { language: 'js' })).text, '3', 'for JavaScript too');
  } else {
    const { error } = await ts();
    same([error.name, error.value.split(' or ')[0]], ['UnsupportedLanguage', 'Language typescript needs node 22.13']);
  }
});
ran('charts are told as data', async () => {
  if (!process.env.CHARTS) skip('matplotlib is not installed');
  await box.files.write('charts.tar.gz', new Blob([readFileSync(process.env.CHARTS)]));
  await box.commands.run('mkdir -p charts && tar -xzf charts.tar.gz -C charts');
  const begun = await box.runCode("import sys; sys.path.insert(0, '/home/user/charts')\nimport matplotlib.pyplot as plt");
  same(begun.error, undefined);
  const draw = async (code) => {
    const { results, error } = await box.runCode(`${code}\nplt.show()`);
    same([error, results.length], [undefined, 1]);
    holds(results[0].png.length > 1000, 'there is a picture too');
    return results[0].chart;
  };
  const labels = { x_label: 'Time (s)', x_unit: 's', y_label: null, y_unit: null };
  const bar = await draw("plt.bar(['A', 'B'], [1, 2], label='Sold'); plt.title('T'); plt.xlabel('Time (s)')");
  same(bar, { type: 'bar', title: 'T', elements: [{ label: 'A', group: 'Sold', value: 1 }, { label: 'B', group: 'Sold', value: 2 }], ...labels });
  const line = await draw("plt.plot([0, 1], [2, float('nan')], label='l'); plt.xlabel('Time (s)'); plt.yscale('log')");
  same([line.type, line.x_unit, line.x_scale, line.y_scale, line.elements], ['line', 's', 'linear', 'log', [{ label: 'l', points: [[0, 2], [1, null]] }]]);
  holds(line.x_ticks.length === line.x_tick_labels.length && line.x_ticks.every(Number.isFinite), JSON.stringify(line));
  const pie = await draw("plt.pie([90, 10], labels=['No', 'Yes'], startangle=90)");
  same(pie.elements, [{ label: 'No', angle: 324, radius: 1 }, { label: 'Yes', angle: 36, radius: 1 }]);
  const box_ = await draw('plt.boxplot([[1, 2, 3, 4, 100], [2, 3, 4]])');
  same(box_.elements[0], { label: '1', min: 1, first_quartile: 2, median: 3, third_quartile: 4, max: 4, outliers: [100] });
  same([box_.type, box_.elements.length], ['box_and_whisker', 2]);
  const dates = 'import datetime; fig, (a, b) = plt.subplots(1, 2); fig.suptitle("Both"); a.scatter([1, 2], [3, 4], label="D"); a.grid(True); b.plot([datetime.date(2023, 9, 1)], [1])';
  const both = await draw(dates);
  same([both.type, both.title, both.elements.map((one) => one.type)], ['superchart', 'Both', ['scatter', 'line']]);
  same(both.elements[0].elements, [{ label: 'D', points: [[1, 3], [2, 4]] }]);
  same([both.elements[1].x_scale, both.elements[1].elements[0].points], ['datetime', [['2023-09-01T00:00:00+00:00', 1]]]);
  same(await draw("plt.gca().add_artist(plt.Circle((0, 0), 1)); plt.title('C')"), { type: 'unknown', title: 'C', elements: [] });
});
ran('files and commands are those of the same sandbox', async () => {
  await box.files.write('data.txt', 'by files');
  same((await box.runCode('open("data.txt").read()')).text, "'by files'");
  await box.runCode('open("back.txt", "w").write("by code")');
  same((await box.commands.run('cat back.txt')).stdout, 'by code');
});
ran('variables are there again after a pause', async () => {
  await box.runCode('kept = 5');
  await box.pause();
  await box.connect();
  same((await box.runCode('kept')).text, '5');
  await box.kill();
});
