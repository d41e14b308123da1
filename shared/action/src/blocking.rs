//! Blocking work in an async action.

/// Runs work that blocks (files, archives, hashing) on a thread of its own, so that the async runtime's
/// threads stay free for timers and requests. A panic in the work continues in the caller.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let entries = delivery_action::blocking(|| std::fs::read_dir("/tmp").map(Iterator::count)).await;
/// # entries.unwrap() });
/// ```
///
/// # Panics
///
/// If the work panics.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Blocking work is cancelled only before it starts, by a runtime that shuts down; then
            // nobody polls this future any more.
            Err(_) => unreachable!("the runtime outlives the jobs it runs"),
        },
    }
}
