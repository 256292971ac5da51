//! Deliberate mistakes of the simulated shell: what a driver around a replica could get wrong.

mistakes::list! {
    /// the driver carries on after a failed sync
    FailedSyncIgnored = 2,
    /// the driver sends before it syncs
    SentBeforeSync = 1,
    /// a rotten record is cut off as if it were torn
    RottenRecordCutOff = 17,
    /// a lost disk's replica comes back under the old name
    LostDiskKeepsItsName = 16,
    /// the state machine looks at its own clock
    ApplyReadsTheClock = 20,
    /// the table against repetitions is not in the snapshot
    SnapshotWithoutRequests = 9,
}
