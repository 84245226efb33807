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
    /// With this configuration and these arguments.
    fn start(configuration: &str, arguments: &[&str]) -> Launcher {
        let directory = directory();
        let file = directory.join("tandem.toml");
        fs::write(&file, configuration).unwrap();
        let launcher = directory.join("tandem");
        fs::copy(env!("CARGO_BIN_EXE_tandem"), &launcher).unwrap();
        for program in PROGRAMS {
            let path = directory.join(program);
            // A rename makes the file of ids appear at once with all that is in it, and behind the arguments.
            let script = "#!/bin/sh\necho \"$@\" > \"$0.arguments\" && echo $$ > \"$0.new\" && \
                          mv \"$0.new\" \"$0.id\" && exec sleep 60\n";
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new(&launcher);
        command.arg("--state").arg(&directory).arg("--config").arg(&file).args(arguments);
        command.current_dir(&directory).stdout(Stdio::null());
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
    let mut launcher = Launcher::start("", &[]);
    let children = launcher.children();
    assert!(children.iter().all(|id| !has_ended(*id)));
    launcher.child.kill().unwrap();
    launcher.child.wait().unwrap();
    wait_until("the children have ended", || children.iter().all(|id| has_ended(*id)));
}

#[test]
fn a_relay_is_told_so_and_the_dataplane_every_interface() {
    let interfaces = "[[interface]]\nname = \"a\"\nlocal = \"127.0.0.1\"\n\
                      [[interface]]\nname = \"b\"\nlocal = \"127.0.0.2\"\nadvertised = \"203.0.113.5\"\n";
    let launcher = Launcher::start(interfaces, &["--relay"]);
    launcher.children();
    let [dataplane, signaling] = PROGRAMS
        .map(|program| fs::read_to_string(launcher.directory.join(format!("{program}.arguments"))).unwrap());
    assert!(signaling.contains("--relay") && signaling.contains("--config "), "{signaling}");
    assert!(dataplane.contains("--ip-local 127.0.0.1 --ip-local 127.0.0.2 --media-ports"), "{dataplane}");
}
