//! The launcher, with stand-ins for the two processes: shell scripts that write down their ids and wait.

use crate::support::directory;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing that works takes so long.
const DEADLINE: Duration = Duration::from_secs(30);
const PROGRAMS: [&str; 2] = ["tandem-dataplane", "tandem-signaling"];

/// A launcher in a directory of its own. It, its children and its files are gone when it is dropped.
struct Launcher {
    directory: PathBuf,
    child: Child,
}

impl Launcher {
    fn start() -> Launcher {
        let directory = directory();
        let launcher = directory.join("tandem");
        fs::copy(env!("CARGO_BIN_EXE_tandem"), &launcher).unwrap();
        for program in PROGRAMS {
            let path = directory.join(program);
            // A rename makes the file of ids appear at once with all that is in it.
            let script = "#!/bin/sh\necho $$ > \"$0.new\" && mv \"$0.new\" \"$0.id\" && exec sleep 60\n";
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new(&launcher);
        command.arg("--state").arg(&directory).current_dir(&directory).stdout(Stdio::null());
        Launcher { child: command.spawn().unwrap(), directory }
    }

    /// The process ids of the children, once both run.
    fn children(&self) -> [u32; 2] {
        PROGRAMS.map(|program| {
            let file = self.directory.join(format!("{program}.id"));
            wait_until(program, || file.exists());
            fs::read_to_string(file).unwrap().trim().parse().unwrap()
        })
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // Errors mean that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process has ended. Who inherits an orphan may take its time to bury it.
fn has_ended(id: u32) -> bool {
    let status = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat"));
    status.map_or(true, |status| status.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}

#[test]
fn a_launcher_that_is_killed_leaves_nothing_running() {
    let mut launcher = Launcher::start();
    let children = launcher.children();
    assert!(children.iter().all(|id| !has_ended(*id)));
    launcher.child.kill().unwrap();
    launcher.child.wait().unwrap();
    wait_until("the children have ended", || children.iter().all(|id| has_ended(*id)));
}
