// The code interpreter's SDK, where it is installed beside the other.
import { existsSync } from 'node:fs';
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
ran('another language is refused', async () => {
  await fails(box.runCode('1', { language: 'r' }), 'SandboxError', '400');
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
