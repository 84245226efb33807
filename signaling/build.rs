//! Lists the files of `web/` as Rust source, so that they become part of the executable.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What a browser loads; tests, tool settings and documents beside them stay out.
const EXTENSIONS: [&str; 10] =
    ["html", "js", "mjs", "css", "svg", "png", "ico", "json", "webmanifest", "wav"];
/// Folders of development tools.
const LEFT_OUT: [&str; 3] = ["node_modules", "test", "types"];
/// Files of development tools.
const LEFT_OUT_FILES: [&str; 3] = ["package.json", "package-lock.json", "tsconfig.json"];

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = here.join("web");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    if root.is_dir() {
        collect(&root, &mut files)?;
    }
    files.sort();
    let mut source = String::from("/// The files, by the paths of their URLs.\nstatic PAGES: &[Page] = &[\n");
    for file in &files {
        let url = file.strip_prefix(&root).unwrap_or(file).display().to_string();
        let _ =
            writeln!(source, "    Page {{ path: {:?}, body: include_bytes!({file:?}) }},", format!("/{url}"));
    }
    source += "];\n";
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("pages.rs"), source)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !LEFT_OUT.contains(&name) {
                collect(&path, files)?;
            }
            continue;
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if EXTENSIONS.contains(&extension) && !LEFT_OUT_FILES.contains(&name) {
            files.push(path);
        }
    }
    Ok(())
}
