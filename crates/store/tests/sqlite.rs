//! The suite on SQLite, and what is SQLite's own.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use ficha_core::ports::{ClientStore, OperatorStore, StoreError, TokenStore, Trade, UpkeepStore};
use ficha_store::{OpenError, OpenOptions, SqliteStore};
use ficha_testkit::{
    store_suite,
    store_suite::samples::{NOON, after_noon, family, founded, revocation, used, word},
};
use futures_util::future::join_all;
use tempfile::TempDir;

async fn empty_sqlite() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (open(folder.path()).unwrap(), folder)
}

fn open(folder: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(&folder.join("ficha.db"), &OpenOptions::default())
}

store_suite!(
    empty_sqlite:
    families::of_many_racing_first_uses_one_is_done_and_the_others_repeat_it,
    families::of_many_racing_later_uses_one_is_done_and_the_others_repeat_it,
    families::of_racing_uses_of_a_predecessor_and_its_successor_no_honest_one_is_lost,
    families::parameters_are_bound_by_their_numbers,
    families::only_step_0_begins_a_family,
    families::a_step_that_was_not_reached_is_unknown_and_does_no_harm,
    families::a_retry_is_answered_with_the_time_of_the_first_use_while_the_window_is_open,
    families::a_retry_after_the_window_is_a_replay_and_ends_the_family,
    families::a_predecessor_whose_successor_was_used_is_a_replay_within_the_window_too,
    families::a_replay_is_one_change_and_sent_again_none,
    families::rotation_is_no_change,
    families::revoking_an_unused_family_keeps_its_first_token_from_being_used,
    families::revoking_a_family_in_use_ends_it,
    families::revoking_a_family_is_one_change_and_sent_again_none,
    families::a_family_that_was_revoked_ends_every_token_beside_it,
    families::a_shorter_use_does_not_shorten_how_long_a_family_is_kept,
    families::a_longer_use_keeps_a_family_longer,
    families::families_of_two_issuers_are_apart,
    live::the_first_offer_is_kept_and_read_back_whole,
    live::a_live_token_is_found_by_its_whole_key,
    live::of_many_racing_offers_one_is_kept_and_all_answer_it,
    live::of_many_racing_renewals_one_is_kept_and_all_answer_it,
    live::one_that_lasts_long_enough_is_answered_instead,
    live::one_that_ends_too_soon_is_replaced,
    live::one_that_a_mark_covers_is_replaced,
    live::the_same_offer_sent_again_is_mine_again,
    live::a_replaced_live_token_is_a_change_and_a_first_one_is_none,
    live::above_the_most_of_a_client_and_api_an_offer_is_not_kept,
    live::expired_ones_take_no_place,
    live::of_racing_offers_for_the_last_place_one_is_kept,
    live::another_policy_ends_the_clients_live_tokens_and_the_same_does_not,
    live::what_is_taken_away_takes_its_live_tokens_along,
    live::live_tokens_of_two_issuers_are_apart,
    marks::a_mark_never_moves_back,
    marks::of_racing_marks_the_latest_stands,
    marks::a_mark_is_one_change_and_sent_again_none,
    marks::marks_are_read_with_what_they_cover,
    marks::a_user_and_a_client_of_one_name_have_marks_of_their_own,
    marks::a_clients_mark_ends_its_live_tokens,
    marks::a_clients_mark_at_an_api_ends_its_live_tokens_there,
    marks::an_issuers_mark_ends_all_its_live_tokens,
    marks::a_users_mark_ends_no_live_token,
    marks::a_mark_that_comes_with_an_act_ends_live_tokens_too,
    marks::marks_of_two_issuers_are_apart,
    records::what_is_absent_is_none,
    records::what_was_committed_is_read_back_whole,
    records::a_record_is_replaced_and_taken_away,
    records::every_edit_is_numbered_and_the_last_number_is_answered,
    records::an_act_on_what_was_changed_meanwhile_writes_nothing,
    records::of_racing_acts_on_the_same_state_one_is_done,
    records::revocations_marks_and_upgrades_do_not_overtake_an_act,
    records::a_new_issuer_is_declared_once,
    records::of_racing_founders_one_is_done,
    records::an_act_that_is_refused_in_its_middle_leaves_nothing,
    records::a_name_belongs_to_one_client_api_or_user,
    records::a_name_is_free_again_when_its_owner_is_gone,
    records::removing_one_kind_leaves_the_name_of_another_alone,
    records::an_audience_belongs_to_one_api,
    records::a_base_url_belongs_to_one_issuer,
    records::records_of_two_issuers_are_apart,
    records::lists_come_in_pages_in_order,
    records::audit_rows_are_read_newest_first,
    records::a_password_is_upgraded_only_from_the_hash_that_was_read,
    records::a_note_is_what_was_noted_last,
    records::the_symmetric_keys_of_every_issuer_are_read,
    revocations::a_revoked_token_stands_revoked_and_no_other,
    revocations::a_revocation_at_one_api_leaves_the_others_alone,
    revocations::revoking_a_live_token_ends_its_being_live_and_no_other,
    revocations::revoking_at_another_api_leaves_the_live_token_alone,
    revocations::revoking_a_token_is_one_change_and_sent_again_none,
    revocations::a_revocation_sent_again_with_a_later_end_stands_longer,
    revocations::above_the_bound_the_oldest_fold_into_the_mark_just_far_enough,
    revocations::a_lowered_bound_folds_several_at_once,
    revocations::folding_ends_the_live_tokens_that_the_mark_covers,
    revocations::a_revocation_that_was_folded_and_is_sent_again_is_no_change,
    revocations::what_a_mark_covers_already_still_loses_its_being_live,
    revocations::expired_revocations_do_not_count_against_the_bound,
    revocations::each_client_has_a_bound_of_its_own,
    revocations::racing_revocations_all_end_their_tokens_and_keep_the_bound,
    revocations::revocations_of_two_issuers_are_apart,
    upkeep::purge_takes_what_is_over_and_leaves_what_is_needed,
    upkeep::changes_are_kept_for_a_day,
    upkeep::a_purged_change_leaves_the_numbers_alone,
    upkeep::purge_goes_in_small_steps_over_all_issuers,
    upkeep::purge_is_no_change_and_leaves_marks_and_records,
    upkeep::purged_revocations_do_not_count_against_the_bound,
    upkeep::a_family_is_kept_until_its_last_token_is_over,
    upkeep::last_uses_of_secrets_are_kept_and_never_move_back,
    upkeep::last_uses_are_no_change_and_go_with_their_owner,
    upkeep::a_probe_answers_and_is_no_change,
);
