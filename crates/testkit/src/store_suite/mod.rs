//! What every storage backend must do, as cases over `&dyn` ports. A backend's test file says how to make an empty
//! store, and lists the cases; a case that it leaves out fails.

pub mod families;
pub mod feed;
pub mod live;
pub mod marks;
pub mod races;
pub mod records;
pub mod revocations;
pub mod samples;
pub mod standing;
pub mod upkeep;

use std::collections::BTreeSet;

use ficha_core::ports::{ClientStore, FeedStore, OperatorStore, StandingStore, TokenStore, UpkeepStore};

/// Every storage port.
pub trait Store: ClientStore + TokenStore + OperatorStore + UpkeepStore + FeedStore + StandingStore {}

impl<T: ClientStore + TokenStore + OperatorStore + UpkeepStore + FeedStore + StandingStore> Store for T {}

/// Makes a test of each listed case. `$empty` is an `async fn` that answers an empty store and what must live as long.
///
/// ```text
/// store_suite!(empty_sqlite: families::rotation_is_no_change, marks::a_mark_never_moves_back);
/// ```
#[macro_export]
macro_rules! store_suite {
    ($empty:path: $($module:ident :: $case:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (store, _kept) = $empty().await;
                $crate::store_suite::$module::$case(&store).await;
            }
        )+

        #[test]
        fn every_case_of_the_suite_is_listed() {
            $crate::store_suite::assert_complete(&[$(concat!(stringify!($module), "::", stringify!($case))),+]);
        }
    };
}

/// Fails when a case of the suite is not in `listed`.
pub fn assert_complete(listed: &[&str]) {
    let sources = [
        ("families", include_str!("families.rs")),
        ("feed", include_str!("feed.rs")),
        ("live", include_str!("live.rs")),
        ("marks", include_str!("marks.rs")),
        ("races", include_str!("races.rs")),
        ("records", include_str!("records.rs")),
        ("revocations", include_str!("revocations.rs")),
        ("standing", include_str!("standing.rs")),
        ("upkeep", include_str!("upkeep.rs")),
    ];
    let cases: BTreeSet<String> = sources
        .iter()
        .flat_map(|(module, source)| {
            let names = source.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next());
            names.map(move |name| format!("{module}::{name}"))
        })
        .collect();
    let listed: BTreeSet<String> = listed.iter().map(ToString::to_string).collect();
    assert!(!cases.is_empty());
    assert_eq!(cases.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "cases that no test runs");
}
