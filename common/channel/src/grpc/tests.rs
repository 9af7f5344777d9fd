mod frames;
mod lanes;
mod strangers;
mod trust;

use crate::fixture::Target;

/// The next refusal is this, with a remedy; and a good peer is served all the same.
async fn refused_with(target: &mut Target, code: &str, message: &str) {
    let refusal = target.refused().await;
    assert_eq!(refusal.fault.code, code, "{}", refusal.fault);
    assert!(refusal.fault.message.contains(message), "{}", refusal.fault);
    assert!(!refusal.fault.hint.is_empty());
}
