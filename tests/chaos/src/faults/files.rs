//! The lane of files that are lost or put back. One gateway at a time: the others have what it forgets, on their disks.

use hearth_random::Random;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use super::{Faults, pass};
use crate::board::{Broken, Kind};
use crate::home::GATEWAYS;
use crate::level::until_level;
use crate::proxy::Direction;

impl Faults {
    pub(super) async fn files(&self, mut dice: Random, end: Instant) {
        let mut kinds = [Kind::WipedFiles, Kind::PutBackFile];
        let mut marks = 0;
        while Instant::now() < end {
            dice.shuffle(&mut kinds);
            for kind in kinds {
                let id = dice.pick(&GATEWAYS);
                match kind {
                    Kind::WipedFiles => self.wipe(id, &mut dice).await,
                    _ => self.put_back(id, &mut dice).await,
                }
                marks += 1;
                if !until_level(&self.asking, marks, end).await {
                    return;
                }
            }
        }
    }

    async fn wipe(&self, id: u8, dice: &mut Random) {
        let _alone = self.processes[usize::from(id) - 1].lock().await;
        let broken = self.board.broken(Kind::WipedFiles, &format!("gateway {id}"));
        let data = self.world.home.data(id);
        self.forget(id, broken, dice, || {
            fs::remove_dir_all(&data).unwrap();
            fs::create_dir(&data).unwrap();
        })
        .await;
    }

    /// Takes a copy while the gateway is down, lets it go on for a while, and writes the copy over its file, as `cp`
    /// does: the file stays the same one, with older content.
    async fn put_back(&self, id: u8, dice: &mut Random) {
        let home = &self.world.home;
        let (data, file) = (home.data(id), home.file(id));
        let copies = home.folder().join(format!("copy-{id}"));
        {
            let _alone = self.processes[usize::from(id) - 1].lock().await;
            home.kill_gateway(id);
            let _ = fs::remove_dir_all(&copies);
            fs::create_dir(&copies).unwrap();
            files(&data, &file).iter().for_each(|file| copy_into(file, &copies));
            home.start_gateway(id, None);
        }
        pass(dice.spread(500, 5_000)).await;
        let _alone = self.processes[usize::from(id) - 1].lock().await;
        let broken = self.board.broken(Kind::PutBackFile, &format!("gateway {id}"));
        self.forget(id, broken, dice, || {
            let old = files(&copies, &file);
            // What was not there then belongs to a later state of the file.
            for file in files(&data, &file) {
                if !old.iter().any(|old| old.file_name() == file.file_name()) {
                    fs::remove_file(file).unwrap();
                }
            }
            old.iter().for_each(|file| copy_into(file, &data));
        })
        .await;
    }

    /// A gateway forgets what it knew. Half of the time in the worst order: another one hears nothing before, and the
    /// third one, which alone still knows what was agreed meanwhile, is away when the two come back.
    async fn forget(&self, id: u8, broken: Broken<'_>, dice: &mut Random, change: impl FnOnce()) {
        let home = &self.world.home;
        let others: Vec<u8> = GATEWAYS.into_iter().filter(|other| *other != id).collect();
        let deaf = dice.pick(&others);
        let knows = others[usize::from(others[0] == deaf)];
        if dice.less_than(2) == 0 {
            home.kill_gateway(id);
            change();
            pass(dice.spread(50, 2_000)).await;
            return home.start_gateway(id, None);
        }
        let _alone = self.processes[usize::from(knows) - 1].lock().await;
        {
            let _broken = self.board.broken(Kind::Cut, &format!("gateway {deaf}"));
            home.network(deaf).cut(Direction::ToBroker);
            home.network(deaf).cut(Direction::FromBroker);
            pass(dice.spread(100, 1_500)).await;
            home.kill_gateway(id);
            change();
        }
        let away = self.board.broken(Kind::Kill, &format!("gateway {knows}"));
        home.kill_gateway(knows);
        home.network(deaf).heal();
        home.start_gateway(id, None);
        drop(broken);
        pass(dice.spread(500, 3_000)).await;
        home.start_gateway(knows, None);
        drop(away);
    }
}

/// A gateway's SQLite file and what SQLite keeps beside it, in this folder.
fn files(folder: &Path, file: &Path) -> Vec<PathBuf> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names = [name.clone(), format!("{name}-wal"), format!("{name}-shm")];
    names.iter().map(|name| folder.join(name)).filter(|path| path.exists()).collect()
}

/// Writes over a file that is there, and keeps its inode.
fn copy_into(file: &Path, folder: &Path) {
    fs::copy(file, folder.join(file.file_name().unwrap_or_default())).unwrap();
}
