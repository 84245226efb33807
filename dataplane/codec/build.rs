//! Links the codec libraries that have no crate of their own worth having: bcg729 and Speex, found by pkg-config.

/// What the bindings in `src/` were written for: the version with SID frames in the decoder, and the first Speex
/// with a stable 1.2 interface.
const LIBRARIES: [(&str, &str); 2] = [("libbcg729", "1.1.1"), ("speex", "1.2.0")];

fn main() {
    for (name, version) in LIBRARIES {
        if let Err(error) = pkg_config::Config::new().atleast_version(version).probe(name) {
            // Cargo shows a build script's standard error when it fails.
            eprintln!("{error}\n(Debian's packages: libbcg729-dev and libspeex-dev)");
            std::process::exit(1);
        }
    }
}
