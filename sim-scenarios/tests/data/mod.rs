//! A data directory with what the scenarios name, so that these tests run without the real data.

use std::path::PathBuf;

use sim_scenarios::scenario::Places;

pub struct Data {
    pub places: Places,
    directory: PathBuf,
}

impl Data {
    /// `test` keeps the directories of tests apart that run at the same time.
    pub fn new(test: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("shardlab-{test}-{}", std::process::id()));
        for block in
            [46147, 1796867, 5283152, 9069000, 12300570, 14029313, 16257471, 18426253, 19426587]
        {
            std::fs::create_dir_all(directory.join("mainnet-blocks").join(block.to_string()))
                .unwrap();
        }
        std::fs::write(directory.join("mainnet-transactions.csv.gz"), "").unwrap();
        let places = Places { base: PathBuf::from("/"), data: Some(directory.clone()) };
        Self { places, directory }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
