//! `--check-config` and `tandem check-config`.

use crate::support::{Process, directory, run};

const SIGNALING: &str = env!("CARGO_BIN_EXE_tandem-signaling");
const TANDEM: &str = env!("CARGO_BIN_EXE_tandem");

#[test]
fn a_good_configuration_is_ok() {
    let directory = directory();
    let file = directory.join("good.toml");
    std::fs::write(&file, "[[domain]]\nname = \"example.org\"\n").unwrap();
    let file = file.to_str().unwrap();
    for arguments in
        [(SIGNALING, vec!["--config", file, "--check-config"]), (TANDEM, vec!["check-config", file])]
    {
        let (success, output, _) = run(arguments.0, &arguments.1);
        assert!(success);
        assert_eq!(output, "OK\n");
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_bad_configuration_is_refused_with_its_line() {
    let directory = directory();
    let file = directory.join("bad.toml");
    std::fs::write(&file, "[[domain]]\nname = \"x\"\n\n[sip]\nupd = 5060\n").unwrap();
    let file = file.to_str().unwrap();
    let wanted = format!("{file}:5: unknown setting `upd` in [sip]; did you mean `udp`?\n");
    for arguments in [
        (SIGNALING, vec!["--config", file, "--check-config"]),
        (SIGNALING, vec!["--config", file]),
        (TANDEM, vec!["check-config", file]),
        (TANDEM, vec!["--config", file]),
    ] {
        let (success, output, error) = run(arguments.0, &arguments.1);
        assert!(!success);
        assert_eq!((output.as_str(), error.as_str()), ("", wanted.as_str()));
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_missing_configuration_is_named() {
    let (success, _, error) = run(SIGNALING, &["--config", "/nonexistent/tandem.toml"]);
    assert!(!success);
    assert!(error.starts_with("/nonexistent/tandem.toml: "), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_setting_to_change() {
    let process = Process::start("").await;
    let file = process.directory.join("tandem.toml");
    let (success, _, error) = run(SIGNALING, &["--config", file.to_str().unwrap()]);
    assert!(!success);
    let wanted = format!("cannot listen on UDP 127.0.0.1:{}: ", process.udp);
    assert!(error.contains(&wanted) && error.contains("set `udp` in [sip]"), "{error}");
}
