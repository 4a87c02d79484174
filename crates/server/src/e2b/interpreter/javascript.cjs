// Runs JavaScript for the code interpreter: the names of its numbered pipes are its arguments, a line of JSON is a command, and a line the
// answer. Node's own REPL keeps what was defined, and has `await` at the top.
'use strict';
const fs = require('node:fs');
const module_ = require('node:module');
const net = require('node:net');
const path = require('node:path');
const readline = require('node:readline');
const repl = require('node:repl');
const stream = require('node:stream');
const util = require('node:util');

const [asks, answers] = process.argv.slice(2).map(Number);
process.argv.splice(1);
const IMPORT = /^[ \t]*import\s+(?:([\w$*{}\s,]+?)\s+from\s+)?(['"])([^'"\n]+)\2[ \t]*;?/gm;

/**
 * What is printed is written at once, and who prints faster than it is read waits. Node's own streams would keep all of it in memory, and
 * never write again when code is interrupted in the middle of them.
 */
class Printed extends stream.Writable {
  constructor(fd) {
    super();
    this.fd = fd;
  }

  write(chunk, encoding, done) {
    written(this.fd, typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : chunk);
    const then = typeof encoding === 'function' ? encoding : done;
    if (then) process.nextTick(then);
    return true;
  }
}
for (const [name, fd] of [['stdout', 1], ['stderr', 2]]) Object.defineProperty(process, name, { value: new Printed(fd), configurable: true });

function written(fd, bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += fs.writeSync(fd, bytes, at);
    } catch (error) {
      // Another program that has the same pipe may have asked for that.
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

// What fails when nobody waits for it any more is said, and ends nothing.
const late = (error) => console.error('Uncaught', error);
process.on('uncaughtException', late);
process.on('unhandledRejection', late);

const nothing = new stream.PassThrough();
const runner = repl.start({ input: nothing, output: process.stderr, prompt: '', terminal: false, useGlobal: true, breakEvalOnSigint: true });
globalThis.require = module_.createRequire(path.join(process.cwd(), 'cell.js'));
globalThis.display = (value) => tell({ display: shown(value) });
// Who interrupts: code that waits by this, and code that does not by what Node does where nobody listens.
const interrupt = () => runner.emit('SIGINT');

function tell(answer) {
  written(answers, Buffer.from(`${JSON.stringify(answer)}\n`));
}

function shown(value) {
  const result = { text: typeof value === 'string' ? value : util.inspect(value) };
  if (value !== null && typeof value === 'object' && (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)) {
    try {
      result.json = JSON.parse(JSON.stringify(value));
    } catch {
      // It holds itself, or something else that JSON has no words for.
    }
  }
  return result;
}

/** A static import as the dynamic one that means the same. */
function imported(_, names, _quote, from) {
  const all = `await import(${JSON.stringify(from)})`;
  if (!names) return `${all};`;
  const [first, ...rest] = names.startsWith('{') || names.startsWith('*') ? ['', names] : names.split(/,(.*)/s);
  const others = rest.join('').trim();
  const parts = [];
  if (first) parts.push(`const { default: ${first.trim()} } = ${all};`);
  if (others.startsWith('*')) parts.push(`const ${others.replace(/^\*\s*as\s+/, '')} = ${all};`);
  else if (others) parts.push(`const ${others.replace(/\s+as\s+/g, ': ')} = ${all};`);
  return parts.join(' ');
}

/** Types are taken out where node can; it warns of that each time. */
function stripped(code) {
  const warn = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return module_.stripTypeScriptTypes(code);
  } finally {
    process.emitWarning = warn;
  }
}

let failed = late;
// Where code throws, the REPL tells its domain alone.
runner._domain?.removeAllListeners('error').on('error', (error) => failed(error));
const evaluated = (code, count) =>
  new Promise((resolve, reject) => {
    failed = reject;
    runner.eval(code, runner.context, `cell ${count}`, (error, value) => (error ? reject(error) : resolve(value)));
    process.on('SIGINT', interrupt);
  }).finally(() => {
    failed = late;
    process.off('SIGINT', interrupt);
  });

async function run({ code, language }, count) {
  const plain = language === 'typescript' ? stripped(code) : code;
  try {
    return await evaluated(`${plain}\n`, count);
  } catch (error) {
    if (!(error instanceof SyntaxError) || !/import statement/.test(error.message)) throw error;
    return await evaluated(`${plain.replace(IMPORT, imported)}\n`, count);
  }
}

// What the REPL and this file have called is nobody's business.
const OURS = /\(?(node:(vm|repl|domain|internal\/vm)|[^\s(]*\/javascript\.cjs):/;

function failure(thrown) {
  // So the REPL wraps code that has no end yet.
  const error = thrown instanceof repl.Recoverable ? thrown.err : thrown;
  if (!util.types.isNativeError(error)) return { name: 'Error', value: typeof error === 'string' ? error : util.inspect(error), traceback: '' };
  const lines = (error.stack ?? '').split('\n');
  const ours = lines.findIndex((line) => OURS.test(line));
  return { name: error.name, value: error.message, traceback: lines.slice(0, ours < 0 ? lines.length : ours).join('\n') };
}

let count = 0;
async function answer(line) {
  const command = JSON.parse(line);
  const before = Object.fromEntries(Object.keys(command.env_vars).map((name) => [name, process.env[name]]));
  Object.assign(process.env, command.env_vars);
  count += 1;
  let said = {};
  try {
    const value = await run(command, count);
    if (value !== undefined) said = { result: shown(value) };
  } catch (error) {
    said = { error: failure(error) };
  }
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  tell(said);
}

readline.createInterface({ input: new net.Socket({ fd: asks, readable: true, writable: false }) }).on('line', answer);
