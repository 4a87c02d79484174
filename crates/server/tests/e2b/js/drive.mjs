// E2B's own JavaScript SDK, unmodified, against a Lamplight server: each case prints one line. What is expected is what E2B's
// documentation and protocol say, not what this server happens to do. Where the SDK is installed is the one argument.
import { setTimeout as sleep } from 'node:timers/promises';
import { cases, made, Skipped } from './common.mjs';
import './control.mjs';
import './commands.mjs';
import './files.mjs';
import './hostile.mjs';
import './snapshots.mjs';
import './templates.mjs';
import './interpreter.mjs';
import './more.mjs';

let failed = 0;
const only = process.env.ONLY;
for (const [name, run] of cases.filter(([name], at) => !only || at === 0 || name.includes(only))) {
  const slow = sleep(120_000, undefined, { ref: false }).then(() => Promise.reject(new Error('it takes too long')));
  try {
    await Promise.race([run(), slow]);
    console.log(`ok ${name}`);
  } catch (error) {
    if (error instanceof Skipped) {
      console.log(`skipped ${name}: ${error.message}`);
      continue;
    }
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack?.replaceAll('\n', ' | ')}`);
  }
}
for (const sandbox of made) await sandbox.kill().catch(() => {});
console.log(`done ${cases.length} ${failed}`);
process.exit(0);
