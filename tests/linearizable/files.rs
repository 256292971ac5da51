//! A gateway's file that is put back by a copy, and gateways that lose their vote and get it back.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use link::Requester;
use serde_json::{Value as Json, json};

use crate::PATIENCE;
use crate::clients::ask;
use crate::home::Home;

/// Copies the file of a gateway that is not running.
pub(crate) fn keep_a_copy(home: &Home, id: u8) {
    let copies = copies(home, id);
    let _ = fs::remove_dir_all(&copies);
    fs::create_dir(&copies).unwrap();
    for file in files(home.folder(), id) {
        fs::copy(&file, copies.join(file.file_name().unwrap())).unwrap();
    }
}

/// Writes the copy over the file of a gateway that is not running, as `cp` does: it stays the same file, with older
/// content.
pub(crate) fn put_back(home: &Home, id: u8) {
    let old = files(&copies(home, id), id);
    for file in files(home.folder(), id) {
        if !old.iter().any(|old| old.file_name() == file.file_name()) {
            fs::remove_file(file).unwrap();
        }
    }
    for file in old {
        fs::copy(&file, home.folder().join(file.file_name().unwrap())).unwrap();
    }
}

/// Gives the vote to a gateway, or takes it away. The answer may be lost on the way, so it asks until it is so.
pub(crate) async fn vote(asking: &Requester, id: u8, votes: bool) {
    let verb = if votes { "add" } else { "remove" };
    let began = Instant::now();
    while votes_now(asking, id).await != votes {
        assert!(began.elapsed() < PATIENCE, "gateway {id}: {verb} is not agreed");
        let change = json!({verb: [id]}).to_string();
        let _ = asking.request("hearth/home/api/voters", change, crate::clients::RETRY).await;
    }
}

/// Waits until a gateway has its vote, under the disk that it has now.
pub(crate) async fn until_it_votes(asking: &Requester, id: u8) {
    let began = Instant::now();
    while !own_view(asking, id).await.is_some_and(|stats| stats["votes"] == true) {
        assert!(began.elapsed() < PATIENCE, "gateway {id} gets no vote");
    }
}

/// What a gateway says of itself, if it answers soon.
async fn own_view(asking: &Requester, id: u8) -> Option<Json> {
    let topic = format!("hearth/home/gateway/{id}/stats");
    let answer = asking.request(&topic, "", crate::clients::RETRY).await.ok()?;
    serde_json::from_slice(&answer.payload).ok()
}

async fn votes_now(asking: &Requester, id: u8) -> bool {
    let answer = ask(asking, "hearth/home/api/voters", json!({})).await;
    answer.get("voters").as_array().is_some_and(|all| all.contains(&json!(id)))
}

fn copies(home: &Home, id: u8) -> PathBuf {
    home.folder().join(format!("copy-{id}"))
}

/// A gateway's SQLite file and what SQLite keeps beside it.
fn files(folder: &Path, id: u8) -> Vec<PathBuf> {
    let names = ["", "-wal", "-shm"].map(|end| folder.join(format!("gateway-{id}.db{end}")));
    names.into_iter().filter(|path| path.exists()).collect()
}
