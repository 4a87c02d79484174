//! Root inside, and what it is for.

use super::stage::{Inside, Stage, same};
use super::{Case, Verdict};
use crate::provider::Files;

async fn with_root(stage: &Stage<'_>) -> Result<Inside, Verdict> {
    if stage.provider.capabilities().root_inside {
        stage.first().await
    } else {
        Err(Verdict::Skipped("nobody is root inside"))
    }
}

pub(super) async fn sudo_runs_commands_as_root_and_ends_as_they_do(stage: &Stage<'_>) -> Case {
    let inside = with_root(stage).await?;
    same(
        "who",
        inside.sh("sudo id -un; sudo -u agent id -u; sudo sh -c 'echo $HOME $USER $SUDO_USER'").await?,
        "root\n1000\n/root root agent".into(),
    )?;
    same("where", inside.sh("cd /usr/share && sudo pwd").await?, "/usr/share".into())?;
    same(
        "input and output",
        inside.sh("echo in | sudo cat; sudo sh -c 'echo err >&2' 2>&1").await?,
        "in\nerr".into(),
    )?;
    same("variables", inside.sh("A=1 B=2 sudo -E C=3 sh -c 'echo $A $B $C'").await?, "1 2 3".into())?;
    same(
        "exit codes",
        inside.sh("exec 2>/dev/null; sudo sh -c 'exit 7'; echo $?; sudo sh -c 'kill -9 $$'; echo $?").await?,
        "7\n137".into(),
    )?;
    inside.refused("sudo /no/such/program").await?;
    inside.refused("sudo -u nobody-of-this-name true").await?;
    same(
        "a group of commands",
        inside.sh("sudo -n -- sh -c 'cd ~ && pwd'; sudo -v && echo yes").await?,
        "/root\nyes".into(),
    )
}

pub(super) async fn sudo_takes_signals_and_ends_with_who_asked(stage: &Stage<'_>) -> Case {
    let inside = with_root(stage).await?;
    let said = inside
        .sh("sudo sh -c 'trap \"echo got it; exit 3\" TERM; echo ready; sleep 60 & wait' > /tmp/said & child=$!; \
             until grep -qs ready /tmp/said; do sleep 0.05; done; kill -TERM $child; wait $child; echo $?; cat /tmp/said")
        .await?;
    same("a command that takes a signal", said.as_str(), "3\nready\ngot it")?;
    // Whoever asked is killed: the command is not left behind. The pattern is not to find this shell.
    inside
        .sh(
            "n=600; sudo sleep $n.75 & until pgrep -f '[s]leep 600.75$'; do sleep 0.05; done; kill -KILL $!; \
             while pgrep -f '^[s]leep 600.75$'; do sleep 0.05; done",
        )
        .await
        .map(|_| ())
}

pub(super) async fn root_inside_is_nobody_outside(stage: &Stage<'_>) -> Case {
    let inside = with_root(stage).await?;
    inside.sh("sudo test -w /etc/passwd && sudo touch /usr/bin/x /etc/x && sudo chown 33:33 /etc/x").await?;
    for command in [
        "mount -t tmpfs tmpfs /mnt",
        "umount /proc",
        "mknod /tmp/mem c 1 1",
        "unshare --mount true",
        "unshare --user true",
        "chroot / true",
        "hostname other",
        "sh -c 'echo b > /proc/sysrq-trigger'",
        "sh -c 'echo x > /proc/sys/kernel/core_pattern'",
        "sh -c 'echo 10 > /proc/sys/user/max_user_namespaces'",
        "sh -c 'head -c 1 /proc/1/environ'",
        "chown 70000 /etc/x",
        "python3 -c 'import os; os.setuid(70000)'",
    ] {
        inside.refused(&format!("sudo {command}")).await?;
    }
    inside
        .sh("kill -0 1 2>/dev/null; sudo kill -KILL 1; sudo kill -STOP 1; echo still here")
        .await
        .map(|_| ())
}

pub(super) async fn what_root_changes_stays_in_its_session(stage: &Stage<'_>) -> Case {
    let one = with_root(stage).await?;
    let other = stage.enter(&stage.spec_of(&stage.subject.session(), 1)).await?;
    let before = other.sh("sha256sum /usr/bin/env; ls /usr/bin /etc | wc -l").await?;
    one.sh("sudo sh -c 'echo changed > /usr/bin/env; rm /usr/bin/cmp; echo x > /usr/bin/lamplight-case; echo y > /etc/lamplight-case; \
             find /usr/share/doc -mindepth 1 -maxdepth 1 -type d | head -n 1 > /etc/lamplight-moved; mv $(cat /etc/lamplight-moved) /usr/share/doc-moved'").await?;
    same("seen by another", other.sh("sha256sum /usr/bin/env; ls /usr/bin /etc | wc -l").await?, before)?;
    let look = "cat /usr/bin/env /usr/bin/lamplight-case /etc/lamplight-case; test -e /usr/bin/cmp || echo gone; test -d /usr/share/doc-moved && test ! -e $(cat /etc/lamplight-moved) && echo moved";
    let seen = one.sh(look).await?;
    same("seen by itself", seen.as_str(), "changed\nx\ny\ngone\nmoved")?;
    stage.provider.destroy(&one.handle, Files::Keep).await?;
    let later = stage.enter(&stage.spec(2)).await?;
    same("seen later", later.sh(look).await?, seen)
}

pub(super) async fn a_debian_package_is_installed(stage: &Stage<'_>) -> Case {
    let inside = with_root(stage).await?;
    if inside.sh("command -v dpkg-deb apt-get").await.is_err() {
        return Err(Verdict::Skipped("this is no Debian"));
    }
    inside
        .sh("set -e; mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin /tmp/p/etc /tmp/p/opt/case; \
             printf 'Package: lamplight-case\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b.invalid>\\nDepends: libc6\\nDescription: x\\n' > /tmp/p/DEBIAN/control; \
             printf '#!/bin/sh\\nset -e\\nchown 33:33 /opt/case/of-another\\nchmod 4755 /usr/bin/lamplight-case\\n' > /tmp/p/DEBIAN/postinst; chmod 755 /tmp/p/DEBIAN/postinst; \
             printf '#!/bin/sh\\necho installed\\n' > /tmp/p/usr/bin/lamplight-case; chmod 755 /tmp/p/usr/bin/lamplight-case; \
             echo configured > /tmp/p/etc/lamplight-case; echo x > /tmp/p/opt/case/of-another; \
             dpkg-deb --root-owner-group --build /tmp/p /tmp/case.deb")
        .await?;
    inside.sh("sudo DEBIAN_FRONTEND=noninteractive apt-get install -y /tmp/case.deb").await?;
    let look = "lamplight-case; cat /etc/lamplight-case; stat -c %u /opt/case/of-another; dpkg -s lamplight-case | grep ^Status";
    let seen = inside.sh(look).await?;
    same("installed", seen.as_str(), "installed\nconfigured\n33\nStatus: install ok installed")?;
    stage.provider.destroy(&inside.handle, Files::Keep).await?;
    let later = stage.enter(&stage.spec(2)).await?;
    same("installed, later", later.sh(look).await?, seen)?;
    later.sh("sudo apt-get purge -y lamplight-case && ! command -v lamplight-case").await.map(|_| ())
}

pub(super) async fn python_and_node_packages_are_installed(stage: &Stage<'_>) -> Case {
    let inside = with_root(stage).await?;
    inside
        .sh("set -e; mkdir -p ~/n && cd ~/n; \
             printf '{\"name\":\"lamplight-case\",\"version\":\"1.0.0\",\"bin\":{\"lamplight-case\":\"x.js\"}}' > package.json; \
             printf '#!/usr/bin/env node\\nconsole.log(\"node\")\\n' > x.js; npm pack -s; \
             npm install -g -s --offline --no-audit --no-fund ./lamplight-case-1.0.0.tgz; \
             test \"$(lamplight-case)\" = node; rm -f ~/.local/bin/lamplight-case; \
             sudo npm install -g -s --offline --no-audit --no-fund ./lamplight-case-1.0.0.tgz; test \"$(lamplight-case)\" = node")
        .await?;
    inside
        .sh("set -e; cd /tmp; cat > wheel.py <<'E'\nimport zipfile\nw = zipfile.ZipFile('lamplight_case-1.0-py3-none-any.whl', 'w')\n\
             w.writestr('lamplight_case.py', 'word = \"python\"\\n')\nd = 'lamplight_case-1.0.dist-info/'\n\
             w.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: lamplight-case\\nVersion: 1.0\\n')\n\
             w.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
             w.writestr(d + 'RECORD', '')\nw.close()\nE\n\
             python3 wheel.py; python3 -c 'import pip' || exit 0; \
             python3 -m pip install -q --no-index ./lamplight_case-1.0-py3-none-any.whl; \
             test \"$(python3 -c 'import lamplight_case; print(lamplight_case.word)')\" = python; \
             python3 -m pip uninstall -q -y lamplight-case; \
             sudo python3 -m pip install -q --no-index ./lamplight_case-1.0-py3-none-any.whl 2>&1; \
             test \"$(python3 -c 'import lamplight_case; print(lamplight_case.word)')\" = python")
        .await
        .map(|_| ())
}
