//! A machine that panics has failed its trial; the words of the panic are the trial's.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IN_TRIAL: Cell<bool> = const { Cell::new(false) };
    static WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

static HOOK: Once = Once::new();

/// Runs a trial; what it says if it panics. Panics of other threads are told as ever.
pub(super) fn catch<T>(trial: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if IN_TRIAL.get() {
                WORDS.with_borrow_mut(|words| *words = panic.to_string().replace('\n', " "));
            } else {
                before(panic);
            }
        }));
    });
    IN_TRIAL.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(trial));
    IN_TRIAL.set(false);
    outcome.map_err(|_| WORDS.take())
}
