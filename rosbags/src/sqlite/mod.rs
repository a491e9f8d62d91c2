//! rosbag2 SQLite storage (`.db3`), as `rosbag2_storage_sqlite3` lays it out:
//! schema 1 (Dashing) to 4 (Iron and later).

mod reader;
mod salvage;
mod writer;

pub use reader::SqliteReader;
pub(crate) use salvage::SqliteSalvage;
pub use writer::SqliteWriter;

use std::path::Path;

use crate::error::BagError;

fn error(path: &Path, source: rusqlite::Error) -> BagError {
    BagError::Sqlite {
        path: path.to_owned(),
        source,
    }
}
