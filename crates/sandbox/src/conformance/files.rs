//! What a sandbox finds when it starts, and what it leaves.

use super::stage::{Stage, failed, same};
use super::{Case, Verdict};
use crate::error::ErrorKind;
use crate::provider::{Files, ReadOnlyMount, SandboxSpec, inside};
use lamplight_domain::Generation;
use std::path::PathBuf;

pub(super) async fn the_agent_is_at_home(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    same("who", inside.sh("id -un; id -u; id -g; pwd; echo $HOME").await?, {
        format!("{}\n1000\n1000\n{}\n{}", inside::USER, inside::WORKSPACE, inside::HOME)
    })?;
    same("owners", inside.sh("stat -c %U /workspace ~").await?, "agent\nagent".into())?;
    inside.sh("set -e; for d in /workspace ~ /tmp /var/tmp /dev/shm $XDG_RUNTIME_DIR; do echo x > $d/probe; cat $d/probe; done").await?;
    Ok(())
}

pub(super) async fn the_toolchain_is_there(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.sh("set -e; cd /workspace; git init -q .; git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x; git log --oneline").await?;
    inside
        .sh("python3 -c 'import ssl, json; print(ssl.create_default_context().cert_store_stats())'")
        .await?;
    inside.sh("node -e 'require(\"crypto\").randomBytes(8)'").await?;
    Ok(())
}

pub(super) async fn the_environment_is_made_from_nothing(stage: &Stage<'_>) -> Case {
    let environment = [("LAMPLIGHT_CASE".to_owned(), "a b'c".to_owned())].into();
    let inside = stage.enter(&SandboxSpec { environment, ..stage.spec(1) }).await?;
    same("given", inside.sh("printf %s \"$LAMPLIGHT_CASE\"").await?, "a b'c".into())?;
    let names = inside.sh("env | cut -d = -f 1").await?;
    for name in ["PATH", "HOME", "USER"] {
        if !names.lines().any(|there| there == name) {
            return Err(failed(format!("{name} is not in the environment: {names}")));
        }
    }
    let seen = inside.sh("env").await?;
    // Everybody sets these, and providers may set the others for reasons of their own.
    const SAME: &[&str] =
        &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_"];
    const MORE: &[&str] = &["XDG_RUNTIME_DIR", "NPM_CONFIG_PREFIX", "PIP_BREAK_SYSTEM_PACKAGES"];
    for (name, value) in
        std::env::vars().filter(|(name, _)| !SAME.iter().chain(MORE).any(|known| known == name))
    {
        if seen.lines().any(|line| line == format!("{name}={value}")) {
            return Err(failed(format!("{name} is the host's")));
        }
    }
    Ok(())
}

pub(super) async fn what_was_written_outlives_its_sandbox(stage: &Stage<'_>) -> Case {
    if !stage.provider.capabilities().keeps_files {
        return Err(Verdict::Skipped("files are not kept"));
    }
    let places = "/workspace/kept ~/kept /tmp/kept /var/tmp/kept";
    let first = stage.first().await?;
    first
        .sh(&format!("for f in {places}; do echo $f > $f; done; ln -s /etc/passwd ~/link; chmod 600 ~/kept"))
        .await?;
    stage.provider.destroy(&first.handle, Files::Keep).await?;
    let second = stage.enter(&stage.spec(2)).await?;
    same(
        "kept",
        second.sh(&format!("cat {places}")).await?,
        second.sh(&format!("printf '%s\\n' {places}")).await?,
    )?;
    same("rights", second.sh("test -O ~/kept && stat -c %a ~/kept").await?, "600".into())?;
    second.sh("echo more >> ~/kept; rm /workspace/kept").await.map(|_| ())
}

pub(super) async fn files_of_before_the_session_was_elsewhere_are_left_behind(stage: &Stage<'_>) -> Case {
    if !stage.provider.capabilities().keeps_files {
        return Err(Verdict::Skipped("files are not kept"));
    }
    let (provider, session) = (&stage.provider, &stage.session);
    let first = stage.first().await?;
    first.sh("echo here > /workspace/of; echo here > ~/of").await?;
    // One that runs is nobody's to leave behind.
    provider.leave_behind(session, Generation(1)).await?;
    first.sh("cat /workspace/of").await?;
    provider.destroy(&first.handle, Files::Keep).await?;
    same("kept", provider.kept().await?.contains(session), true)?;
    // Nobody had them since.
    for generation in [0, 1] {
        provider.leave_behind(session, Generation(generation)).await?;
    }
    let second = stage.enter(&stage.spec(2)).await?;
    same("the same files", second.sh("cat /workspace/of ~/of").await?, "here\nhere".into())?;
    same("kept while it runs", provider.kept().await?.contains(session), false)?;
    provider.destroy(&second.handle, Files::Keep).await?;
    // The third was elsewhere.
    provider.leave_behind(session, Generation(3)).await?;
    provider.leave_behind(session, Generation(3)).await?;
    let fourth = stage.enter(&stage.spec(4)).await?;
    fourth.refused("test -e /workspace/of").await?;
    fourth.refused("test -e ~/of").await?;
    fourth.sh("echo again > /workspace/of").await?;
    provider.destroy(&fourth.handle, Files::Remove).await?;
    same("kept of what is gone", provider.kept().await?.contains(session), false)
}

pub(super) async fn removed_files_are_gone(stage: &Stage<'_>) -> Case {
    let first = stage.first().await?;
    first
        .sh("echo x > /workspace/f; echo x > ~/f; echo x > /tmp/f; echo x > /var/tmp/f; echo x > /dev/shm/f")
        .await?;
    stage.provider.destroy(&first.handle, Files::Remove).await?;
    let again = stage.first().await?;
    for file in ["/workspace/f", "~/f", "/tmp/f", "/var/tmp/f", "/dev/shm/f"] {
        again.refused(&format!("test -e {file}")).await?;
    }
    Ok(())
}

pub(super) async fn closed_directories_are_removed_too(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside
        .sh("cd /workspace; mkdir -p a/b; echo x > a/b/c; ln -s / a/root; mkfifo a/pipe; touch a/-rf 'a/new\nline'; chmod 000 a/b a")
        .await?;
    stage.provider.destroy(&inside.handle, Files::Remove).await?;
    match stage.subject.left_of(&stage.session) {
        Some(left) => same("left", left, Vec::new()),
        None => Err(Verdict::Skipped("what the host has cannot be seen from here")),
    }
}

pub(super) async fn a_mount_is_shown_and_cannot_be_changed(stage: &Stage<'_>) -> Case {
    if !stage.provider.capabilities().host_mounts {
        return Err(Verdict::Skipped("host directories cannot be mounted"));
    }
    // /usr/share exists on every Linux, and anyone can read it.
    let mount = ReadOnlyMount { host: "/usr/share".into(), inside: "/opt/lamplight/case".into() };
    let inside = stage.enter(&stage.mounting(vec![mount])).await?;
    let mut there = std::fs::read_dir("/usr/share")?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    there.sort_unstable();
    same("shown", inside.sh("ls -A /opt/lamplight/case | LC_ALL=C sort").await?, there.join("\n"))?;
    inside.refused("touch /opt/lamplight/case/x").await?;
    inside.refused("rmdir /opt/lamplight/case").await.map(|_| ())
}

pub(super) async fn a_mount_over_the_sandboxs_own_is_refused(stage: &Stage<'_>) -> Case {
    if !stage.provider.capabilities().host_mounts {
        return Err(Verdict::Skipped("host directories cannot be mounted"));
    }
    for place in ["/", "/etc", "/usr/bin", "/home/agent/x", "/workspace", "/opt/../etc", "relative"] {
        let mount = ReadOnlyMount { host: "/usr/share".into(), inside: PathBuf::from(place) };
        match stage.create(&stage.mounting(vec![mount])).await {
            Err(error) => same(place, error.kind, ErrorKind::Invalid)?,
            Ok(_) => return Err(failed(format!("a mount at {place} was taken"))),
        }
    }
    Ok(())
}
