//! What a sandbox cannot see, reach or do. Each case that expects nothing also shows that it would have seen something.

use super::lifecycle::START_OF_GUEST;
use super::stage::{Inside, Stage, failed, same};
use super::{Case, Verdict};
use crate::provider::SandboxSpec;
use lamplight_domain::SandboxLimits;
use lamplight_domain::sandbox::{Strength, Wall};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Prints what is behind a door that should not be there; ends well when there is none.
const CONNECT: &str = r#"
import socket, sys
family, address = eval(sys.argv[1])
try:
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(2)
    s.connect(address)
    print("connected")
except OSError as error:
    print("refused", error.errno)
"#;

pub(super) async fn connect(inside: &Inside, family: &str, address: &str) -> Result<String, Verdict> {
    inside.write("/tmp/connect.py", CONNECT).await?;
    inside.sh(&format!("python3 /tmp/connect.py '(__import__(\"socket\").{family}, {address})'")).await
}

pub(super) async fn not_connected(inside: &Inside, family: &str, address: &str) -> Case {
    match connect(inside, family, address).await? {
        said if said.starts_with("refused") => Ok(()),
        said => Err(failed(format!("{address}: {said}"))),
    }
}

async fn two(stage: &Stage<'_>) -> Result<(Inside, Inside), Verdict> {
    let other = stage.subject.session();
    Ok((stage.first().await?, stage.enter(&stage.spec_of(&other, 1)).await?))
}

pub(super) async fn two_sessions_share_no_files(stage: &Stage<'_>) -> Case {
    let (one, two) = two(stage).await?;
    one.sh("for d in /workspace ~ /tmp /var/tmp /dev/shm /run/lock $XDG_RUNTIME_DIR; do echo x > $d/of-the-other; done").await?;
    same("found", two.sh("find / -xdev -name of-the-other 2>/dev/null; find /workspace ~ /tmp /var /dev/shm /run -name of-the-other 2>/dev/null; true").await?, String::new())?;
    let found =
        one.sh("find /workspace ~ /tmp /var /dev/shm /run -name of-the-other 2>/dev/null | wc -l").await?;
    same("found by itself", found, "7".into())
}

pub(super) async fn two_sessions_share_no_processes(stage: &Stage<'_>) -> Case {
    let (one, two) = two(stage).await?;
    one.start("marked", "echo; exec sleep 600.25").await?;
    let seen = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '[s]leep 600.25' || true";
    same("seen by itself", one.sh(seen).await?, "1".into())?;
    same("seen", two.sh(seen).await?, "0".into())
}

pub(super) async fn two_sessions_share_no_ports_or_sockets(stage: &Stage<'_>) -> Case {
    let (one, two) = two(stage).await?;
    one.start(
        "listening",
        "exec python3 -uc 'import socket, time\nt = socket.create_server((\"0.0.0.0\", 8123))\nu = socket.socket(socket.AF_UNIX)\nu.bind(\"\\0lamplight-case\")\nu.listen()\nprint(1)\ntime.sleep(600)'",
    )
    .await?;
    for (family, address) in [("AF_INET", "(\"127.0.0.1\", 8123)"), ("AF_UNIX", "\"\\0lamplight-case\"")] {
        same("connected by itself", connect(&one, family, address).await?, "connected".into())?;
        not_connected(&two, family, address).await?;
    }
    Ok(())
}

pub(super) async fn two_sessions_share_no_memory(stage: &Stage<'_>) -> Case {
    let (one, two) = two(stage).await?;
    one.sh("ipcmk -M 4096 -p 0666 && ipcmk -Q -p 0666").await?;
    let count = "ipcs -m -q | grep -c ^0x || true";
    same("seen by itself", one.sh(count).await?, "2".into())?;
    same("seen", two.sh(count).await?, "0".into())
}

pub(super) async fn nothing_of_the_host_is_visible(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let hidden = stage.subject.hidden();
    let usual = ["/boot", "/srv", "/mnt", "/media", "/sys", "/.dockerenv", "/etc/shadow", "/etc/ssl/private"];
    let sockets = ["/run/docker.sock", "/var/run/docker.sock", "/run/dbus", "/run/systemd", "/tmp/.X11-unix"];
    // On an image these directories are the image's.
    let usual = if stage.subject.image().is_some() { &[][..] } else { &usual };
    let usual = usual.iter().chain(&sockets).map(|path| (*path).to_owned());
    for path in hidden.iter().map(|path| path.display().to_string()).chain(usual) {
        inside.refused(&format!("test -e '{path}'")).await?;
    }
    same("/home", inside.sh("ls -A /home").await?, "agent".into())?;
    if stage.subject.image().is_some() {
        return Ok(());
    }
    same("/root", inside.sh("find /root -mindepth 1 2>/dev/null; true").await?, String::new())?;
    let top = "bin dev etc home lib lib32 lib64 libx32 opt proc root run sbin tmp usr var workspace";
    for name in inside.sh("ls -A /").await?.lines() {
        if !top.split(' ').any(|allowed| allowed == name) {
            return Err(failed(format!("/{name} exists")));
        }
    }
    Ok(())
}

pub(super) async fn no_process_of_the_host_is_visible(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    same("the guest and the shell that looks", inside.sh("set -- /proc/[0-9]*; echo $#").await?, "2".into())
}

pub(super) async fn there_is_no_network_but_loopback(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    same(
        "interfaces",
        inside.sh("tail -n +3 /proc/net/dev | cut -d : -f 1 | tr -d ' '").await?,
        "lo".into(),
    )?;
    same("routes", inside.sh("tail -n +2 /proc/net/route").await?, String::new())?;
    for address in ["1.1.1.1", "169.254.169.254", "10.0.0.1", "192.168.0.1"] {
        not_connected(&inside, "AF_INET", &format!("(\"{address}\", 80)")).await?;
    }
    Ok(())
}

pub(super) async fn loopback_works(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.start("listening", "exec python3 -uc 'import socket, time\nt = socket.create_server((\"127.0.0.1\", 80))\nprint(1)\ntime.sleep(600)'").await?;
    same("connected", connect(&inside, "AF_INET", "(\"localhost\", 80)").await?, "connected".into())
}

pub(super) async fn listeners_of_the_host_cannot_be_reached(stage: &Stage<'_>) -> Case {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?;
    let name = format!("lamplight-conformance-{}", std::process::id());
    let _socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes())?)?;
    let inside = stage.first().await?;
    not_connected(&inside, "AF_INET", &format!("(\"127.0.0.1\", {})", port.local_addr()?.port())).await?;
    not_connected(&inside, "AF_UNIX", &format!("\"\\0{name}\"")).await?;
    std::net::TcpStream::connect(port.local_addr()?)?;
    Ok(())
}

pub(super) async fn there_are_no_capabilities(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let sets = "grep ^Cap /proc/self/status | cut -f 2 | sort -u";
    same("capabilities", inside.sh(sets).await?, "0000000000000000".into())?;
    // Of the guest: none, or what root inside has (chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap).
    let most: u64 = if stage.provider.capabilities().root_inside { 0x1fb } else { 0 };
    for process in ["self", "1"] {
        for set in inside.sh(&format!("grep ^Cap /proc/{process}/status | cut -f 2 | sort -u")).await?.lines()
        {
            let set = u64::from_str_radix(set, 16).map_err(|error| failed(error.to_string()))?;
            same("capabilities beyond root's", set & !most, 0)?;
        }
        let no_new = inside.sh(&format!("grep ^NoNewPrivs /proc/{process}/status | cut -f 2")).await?;
        same("no new privileges", no_new, "1".into())?;
    }
    Ok(())
}

pub(super) async fn privileges_cannot_be_gained(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    inside.sh("cp /usr/bin/id /tmp/id; chmod 4755 /tmp/id").await?;
    same("a set-user-id program of its own", inside.sh("/tmp/id -u").await?, "1000".into())?;
    inside.refused("chown 0 /tmp/id").await?;
    for number in [0, 1, 65534] {
        inside.refused(&format!("python3 -c 'import os; os.setuid({number})'")).await?;
    }
    Ok(())
}

pub(super) async fn namespaces_and_mounts_cannot_be_made(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    for flag in ["--user", "--mount", "--net", "--pid --fork", "--uts", "--ipc", "--cgroup"] {
        inside.refused(&format!("unshare {flag} true")).await?;
    }
    for command in [
        "mount -t tmpfs tmpfs /tmp",
        "mount -o remount,rw /usr",
        "umount /usr",
        "mount --bind /etc /tmp",
        "mknod /tmp/mem c 1 1",
        "mknod /tmp/disk b 8 0",
        "chroot /tmp true",
        "hostname other",
        "nsenter -t 1 -m true",
    ] {
        inside.refused(command).await?;
    }
    Ok(())
}

pub(super) async fn dangerous_system_calls_are_refused(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    // Hypervisor, raw packets, kernel cryptography; the firewall's netlink; SCTP.
    for socket in ["40, 1", "17, 3", "38, 5", "16, 3, 12", "2, 1, 132"] {
        inside.refused(&format!("python3 -c 'import socket; socket.socket({socket})'")).await?;
    }
    for socket in ["socket.AF_UNIX", "socket.AF_INET", "socket.AF_INET6", "16, 3, 0"] {
        inside.sh(&format!("python3 -c 'import socket; socket.socket({socket})'")).await?;
    }
    // Words put into a terminal's mouth.
    let push = "import fcntl, os; fcntl.ioctl(os.openpty()[1], 0x5412, b\"x\")";
    inside.refused(&format!("python3 -c '{push}'")).await?;
    let call = async |number: libc::c_long| {
        let program = "import ctypes, sys; c = ctypes.CDLL(None, use_errno=True); \
                       print(c.syscall(int(sys.argv[1]), 0, 0, 0, 0, 0, 0), ctypes.get_errno())";
        inside.sh(&format!("python3 -c '{program}' {number}")).await
    };
    // With arguments of 0, each would succeed or name these (EFAULT, EINVAL, EBADF) for an ordinary process.
    for (name, number) in [
        ("add_key", libc::SYS_add_key),
        ("io_uring_setup", libc::SYS_io_uring_setup),
        ("keyctl", libc::SYS_keyctl),
        ("memfd_secret", libc::SYS_memfd_secret),
        ("open_tree", libc::SYS_open_tree),
        ("process_vm_readv", libc::SYS_process_vm_readv),
        ("ptrace", libc::SYS_ptrace),
        ("userfaultfd", libc::SYS_userfaultfd),
    ] {
        same(name, call(number).await?, format!("-1 {}", libc::EPERM))?;
    }
    // As on a kernel that does not have them: one that libraries fall back from, and numbers that nobody has yet.
    for (name, number) in [("clone3", libc::SYS_clone3), ("new", 490), ("newer", 600)] {
        same(name, call(number).await?, format!("-1 {}", libc::ENOSYS))?;
    }
    // One that is allowed, to show that the others were made.
    same("getpgid", call(libc::SYS_getpgid).await?.ends_with(" 0"), true)
}

pub(super) async fn only_harmless_devices_exist(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let names = inside.sh("ls /dev | sort | tr '\\n' ' '").await?;
    same("/dev", names.trim(), "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero")?;
    inside
        .sh("echo x > /dev/null; head -c 8 /dev/urandom > /dev/null; python3 -c 'import os; os.openpty()'")
        .await?;
    Ok(())
}

pub(super) async fn no_descriptor_is_inherited(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let listing = "import os; print(sorted(os.listdir(\"/proc/self/fd\")))";
    // The fourth is the listing itself.
    let open = inside.sh(&format!("python3 -c '{listing}'")).await?;
    same("open descriptors", open, "['0', '1', '2', '3']".into())
}

pub(super) async fn the_guest_cannot_be_looked_into(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    for file in ["environ", "mem", "fd/3", "root/etc", "cwd/."] {
        inside.refused(&format!("head -c 1 /proc/1/{file} && test -e /proc/1/{file}")).await?;
    }
    inside
        .refused("python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(16, 1, 0, 0) != 0)'")
        .await
        .map(|_| ())
}

pub(super) async fn the_guest_cannot_be_limited(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let limit = |process: &str| {
        format!("python3 -c 'import resource as r; r.prlimit({process}, r.RLIMIT_NOFILE, (64, 64))'")
    };
    inside.sh(&limit("0")).await?;
    inside.refused(&limit("1")).await.map(|_| ())
}

pub(super) async fn the_kernels_files_tell_and_change_nothing(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    for file in ["kcore", "keys", "kmsg", "kallsyms", "timer_list", "interrupts", "key-users", "sched_debug"]
    {
        let shown = inside.sh(&format!("head -c 64 /proc/{file} 2> /dev/null | wc -c")).await?;
        same(file, shown, "0".into())?;
    }
    for file in [
        "sysrq-trigger",
        "sys/kernel/core_pattern",
        "sys/vm/drop_caches",
        "sys/kernel/hostname",
        "irq/x",
        "bus/x",
    ] {
        inside.refused(&format!("echo x > /proc/{file}")).await?;
    }
    inside.refused("umount /proc/sys; echo 1 > /proc/sys/net/ipv4/ip_forward").await?;
    // What programs need of it is there.
    inside
        .sh("head -c 64 /proc/meminfo /proc/cpuinfo /proc/self/status /proc/sys/kernel/pid_max > /dev/null")
        .await
        .map(|_| ())
}

/// One that does not count on mounts and namespaces: Landlock, where the provider says that it has it.
pub(super) async fn writing_has_a_second_wall(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let enforced = stage.provider.inspect(&inside.handle).await?.enforced.unwrap_or_default();
    let wall = enforced.0.iter().find(|row| row.wall == Wall::FileRules);
    if wall.is_none_or(|row| row.strength != Strength::Enforced) {
        return Err(Verdict::Skipped("there are no file rules here; the provider says so"));
    }
    inside.sh("echo x > /dev/shm/x; echo x > /dev/null; mv /dev/shm/x /tmp/x; mkfifo /tmp/pipe").await?;
    // Where there are none, the kernel lets anyone make this one device, which stands for "deleted" in an overlay.
    let forge = "mknod /dev/shm/deleted c 0 0";
    inside.refused(forge).await?;
    let other = stage.subject.session();
    let limits = SandboxLimits { nested_sandboxes: Some(true), ..SandboxLimits::default() };
    let without = stage.enter(&SandboxSpec { limits, ..stage.spec_of(&other, 1) }).await?;
    without.sh(forge).await.map(|_| ())
}

pub(super) async fn nothing_inside_can_end_the_guest(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    let started = inside.sh(START_OF_GUEST).await?;
    for signal in ["KILL", "STOP", "TERM", "HUP", "INT", "QUIT", "ABRT", "SEGV"] {
        // Whether the kernel says yes or no, nothing may come of it.
        inside.sh(&format!("kill -{signal} 1 || true")).await?;
    }
    same("the guest's start", inside.sh(START_OF_GUEST).await?, started)
}

pub(super) async fn the_system_is_not_the_agents(stage: &Stage<'_>) -> Case {
    let inside = stage.first().await?;
    for place in ["/", "/usr", "/usr/bin", "/etc", "/etc/ssl/certs", "/dev", "/run/lamplight"] {
        inside.refused(&format!("touch {place}/lamplight-was-here")).await?;
    }
    for file in
        ["/etc/passwd", "/etc/hosts", "/usr/bin/env", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern"]
    {
        inside.refused(&format!("printf '' >> {file}")).await?;
    }
    Ok(())
}
