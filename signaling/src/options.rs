//! What both executables are told on their command lines.

use crate::config::{Config, ConfigError, Overrides};
use clap::Args;
use std::path::{Path, PathBuf};

/// The arguments that the launcher takes and hands on to the process.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The configuration; without one, the embedded defaults.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where keys and generated passwords are kept, instead of the configuration's `state_directory`.
    #[arg(long, value_name = "DIRECTORY")]
    pub state: Option<PathBuf>,
    /// What to log, instead of the configuration's `[log] level`: error, warn, info, debug, trace.
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
    /// Relay media for a SIP server of one's own, by the NG protocol: no SIP and no pages, unless they are configured.
    #[arg(long)]
    pub relay: bool,
}

impl Options {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`ConfigError`]: everything that is wrong with it.
    pub fn load(&self) -> Result<Config, ConfigError> {
        self.load_file(self.config.as_deref())
    }

    /// Reads another file in the place of the configuration.
    ///
    /// # Errors
    /// [`ConfigError`]: everything that is wrong with it.
    pub fn load_file(&self, file: Option<&Path>) -> Result<Config, ConfigError> {
        let overrides = Overrides { state_directory: self.state.clone(), relay: self.relay };
        Config::load(file, &overrides)
    }

    /// The filter for logs.
    pub fn log_level<'a>(&'a self, config: &'a Config) -> &'a str {
        self.log.as_deref().unwrap_or(&config.log_level)
    }

    /// The same as arguments.
    pub fn to_arguments(&self) -> Vec<String> {
        let mut list = Vec::new();
        for (name, path) in [("--config", &self.config), ("--state", &self.state)] {
            if let Some(path) = path {
                list.extend([name.to_owned(), path.display().to_string()]);
            }
        }
        if let Some(level) = &self.log {
            list.extend(["--log".to_owned(), level.clone()]);
        }
        if self.relay {
            list.push("--relay".to_owned());
        }
        list
    }
}
