//! Where the files are that a scenario names.

use std::path::{Path, PathBuf};

use super::load::FileRef;

/// Names the directory of `data:` files.
pub const DATA_VARIABLE: &str = "SHARDLAB_DATA";

const DATA_PREFIX: &str = "data:";

/// What the paths of a scenario are relative to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The scenario file's directory: relative paths start here.
    pub base: PathBuf,
    /// Where `data:` files are. `None`: in the first `shared/data` found going up from `base`.
    pub data: Option<PathBuf>,
}

impl Places {
    /// For the scenario at `file`, with [`DATA_VARIABLE`] from the environment.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        // The parent of a bare file name is empty, which is no path.
        let base = file.parent().filter(|parent| !parent.as_os_str().is_empty());
        let base = base.unwrap_or(Path::new(".")).to_owned();
        let data = std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty());
        Self { base, data: data.map(PathBuf::from) }
    }

    /// The file or directory written as `written`.
    ///
    /// # Errors
    /// With what to do about it, when there is none; `directory` says what it must be.
    pub(super) fn find(&self, written: &str, directory: bool) -> Result<FileRef, String> {
        let found = match written.strip_prefix(DATA_PREFIX) {
            Some(name) => FileRef { written: written.to_owned(), path: self.in_data(name)? },
            None => {
                let path = std::path::absolute(self.base.join(written))
                    .map_err(|error| format!("the path cannot be made absolute: {error}"))?;
                let printed = path.to_str().ok_or("its full path is not valid UTF-8")?;
                FileRef { written: printed.to_owned(), path }
            }
        };
        let shown = found.path.display();
        match (std::fs::metadata(&found.path), directory) {
            (Err(error), _) => Err(format!("looked for {shown}: {error}")),
            (Ok(meta), true) if !meta.is_dir() => Err(format!("{shown} is not a directory")),
            (Ok(meta), false) if !meta.is_file() => Err(format!("{shown} is not a file")),
            (Ok(_), _) => Ok(found),
        }
    }

    fn in_data(&self, name: &str) -> Result<PathBuf, String> {
        if let Some(data) = &self.data {
            return Ok(data.join(name));
        }
        let base = std::path::absolute(&self.base).map_err(|error| error.to_string())?;
        let directories = base.ancestors().map(|ancestor| ancestor.join("shared/data"));
        directories.into_iter().find(|data| data.is_dir()).map(|data| data.join(name)).ok_or_else(
            || {
                format!(
                    "there is no shared/data above {}; set {DATA_VARIABLE} to the directory \
                     that holds the data",
                    base.display()
                )
            },
        )
    }
}
