//! That the walls leave work alone: what toolchains do beyond starting, each where it is installed inside.

use super::stage::{Inside, Stage, same};
use super::{Case, Verdict};

async fn with(stage: &Stage<'_>, tool: &str) -> Result<Inside, Verdict> {
    let inside = stage.first().await?;
    match inside.sh(&format!("command -v {tool} || echo absent")).await?.as_str() {
        "absent" => Err(Verdict::Skipped("this toolchain is not installed here")),
        _ => Ok(inside),
    }
}

pub(super) async fn python_works(stage: &Stage<'_>) -> Case {
    let inside = with(stage, "python3").await?;
    let program = r#"
import asyncio, mmap, multiprocessing, os, socket, sqlite3, ssl, subprocess, tempfile, threading

def square(n): return n * n

if __name__ == "__main__":
    thread = threading.Thread(target=lambda: sqlite3.connect(":memory:").execute("select 1")); thread.start(); thread.join()
    for method in ["fork", "spawn"]:
        with multiprocessing.get_context(method).Pool(2) as pool: assert pool.map(square, range(4)) == [0, 1, 4, 9]
    assert subprocess.run(["sh", "-c", "echo x | cat"], capture_output=True, text=True).stdout == "x\n"
    database = sqlite3.connect("/workspace/wal.db"); database.execute("pragma journal_mode=wal"); database.execute("create table t(a)")
    with tempfile.TemporaryFile() as file:
        file.truncate(4096); memory = mmap.mmap(file.fileno(), 4096); memory[0] = 7
    one, two = socket.socketpair(); one.send(b"x"); assert two.recv(1) == b"x"
    async def served():
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        reader, _ = await asyncio.open_connection(*server.sockets[0].getsockname()); return await reader.read()
    assert asyncio.run(served()) == b""
    fd = os.memfd_create("x"); os.sched_getaffinity(0); os.nice(1); ssl.create_default_context()
    print("ok")
"#;
    inside.write("/tmp/work.py", program).await?;
    same("python3", inside.sh("python3 /tmp/work.py").await?, "ok".into())
}

pub(super) async fn node_works(stage: &Stage<'_>) -> Case {
    let inside = with(stage, "node").await?;
    let program = r#"
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { spawnSync, spawn } = require('child_process');
const fs = require('fs'), http = require('http'), os = require('os'), assert = require('assert');
if (!isMainThread) { parentPort.postMessage('hi'); } else (async () => {
  assert.equal(await new Promise(done => new Worker(__filename).on('message', done)), 'hi');
  assert.equal(spawnSync('sh', ['-c', 'echo x']).stdout.toString(), 'x\n');
  const watched = new Promise(done => { const w = fs.watch('/workspace', () => { w.close(); done(); }); });
  fs.writeFileSync('/workspace/file', 'x'); await watched;
  fs.copyFileSync('/workspace/file', '/workspace/copy'); fs.renameSync('/workspace/copy', '/workspace/moved');
  const server = http.createServer((_, answer) => answer.end('served')).listen(0, '127.0.0.1');
  await new Promise(done => server.on('listening', done));
  const body = await new Promise(done => http.get(server.address(), r => r.on('data', d => done(d.toString()))));
  assert.equal(body, 'served'); server.close();
  const wasm = new WebAssembly.Memory({ initial: 1, maximum: 100 }); assert.equal(wasm.buffer.byteLength, 65536);
  require('crypto').generateKeyPairSync('ec', { namedCurve: 'P-256' }); os.cpus(); os.networkInterfaces();
  console.log('ok');
})();
"#;
    inside.write("/tmp/work.js", program).await?;
    same("node", inside.sh("node /tmp/work.js").await?, "ok".into())
}

pub(super) async fn git_works(stage: &Stage<'_>) -> Case {
    let inside = with(stage, "git").await?;
    let script = "set -e; cd /workspace; git init -q one; cd one; git config user.name a; git config user.email a@b; \
                  for n in 1 2 3; do echo $n > $n; git add .; git commit -q -m $n; done; git gc -q; \
                  git worktree add -q ../two -b two; cd ../two; echo x > x; git add .; git commit -q -m x; cd ..; \
                  git clone -q --no-local one three; git -C three fetch -q origin two; git -C three merge -q FETCH_HEAD; \
                  git -C three log --oneline | wc -l; git -C three stash list; git -C one fsck --no-progress";
    same("git", inside.sh(script).await?, "4".into())
}

pub(super) async fn compilers_work(stage: &Stage<'_>) -> Case {
    let inside = with(stage, "cc").await?;
    let program = "#include <pthread.h>\n#include <stdio.h>\n#include <sys/wait.h>\n#include <unistd.h>\n\
                   void *work(void *n) { return n; }\n\
                   int main(void) { pthread_t t; pthread_create(&t, 0, work, 0); pthread_join(t, 0);\n\
                   if (fork() == 0) { execlp(\"echo\", \"echo\", \"-n\", \"o\", (char *)0); } wait(0); puts(\"k\"); return 0; }\n";
    inside.write("/workspace/work.c", program).await?;
    same("cc", inside.sh("cc -pthread -o work work.c && ./work").await?, "ok".into())?;
    let makefile = "all: a b c d\na b c d:\n\tcc -pthread -o $@ work.c\n";
    inside.write("/workspace/Makefile", makefile).await?;
    inside.sh("! command -v make || (make -s -j4 && ./d)").await.map(|_| ())
}

pub(super) async fn java_works(stage: &Stage<'_>) -> Case {
    let inside = with(stage, "java").await?;
    inside.sh("java -Xmx128m -version").await.map(|_| ())
}

pub(super) async fn shells_and_their_tools_work(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let script = "set -e; cd /workspace; mkdir -p a/b; echo x > a/b/c; tar czf a.tgz a; tar xzf a.tgz; cp -a a d; mv d e; ln e/b/c f; \
                  find . -type f | xargs cat | sort | uniq -c > /dev/null; (sleep 60 & kill $!); mkfifo p; (echo x > p &); cat p; \
                  touch -d '2020-01-01' f; chmod 600 f; dd if=/dev/zero of=z bs=1k count=8 2> /dev/null; truncate -s 1M z; flock z true; \
                  df . > /dev/null; ps > /dev/null; timeout 5 true; nice true; setsid true; stat -c %a f";
    same("the shell", inside.sh(script).await?, "x\n600".into())
}
