//! Claims about the client, each on a real server. They hold on Milvus 2.2.16, 2.3.5 and Milvus Lite alike.

mod keys;
pub(crate) mod place;
mod reads;
pub(crate) mod rows;
mod things;
mod trust;
mod writes;

use crate::fleet;
use anyhow::{Context, Result};

/// Every claim that holds on any server, under names that no other test uses.
async fn every_claim(uri: &str) -> Result<()> {
    macro_rules! hold {
        ($($room:ident :: $claim:ident),* $(,)?) => {
            $(Box::pin($room::$claim(uri)).await.context(stringify!($claim))?;)*
        };
    }
    hold!(
        keys::nasty_keys_survive_every_range,
        keys::nasty_keys_survive_every_delete,
        keys::numbers_at_the_ends_survive_every_expression,
        reads::a_range_answers_every_row,
        reads::border_keys_are_sorted_and_come_to_an_end,
        reads::an_answer_that_is_too_large_comes_in_parts,
        reads::rows_are_seen_from_the_next_read_point_on,
        things::a_described_collection_can_be_made_again,
        things::aliases_are_made_found_moved_and_dropped,
        things::what_is_missing_is_told_apart,
        things::a_list_of_partitions_that_is_read_anew_is_the_same,
        things::databases_keep_their_collections_apart,
        writes::replacing_leaves_one_row_for_each_key,
        writes::a_batch_that_is_too_large_goes_in_pieces,
    );
    Ok(())
}

#[test]
fn the_client_keeps_its_word_on_2_3_5() -> Result<()> {
    fleet::run(async { every_claim(fleet::target().await?.uri()).await })
}

#[test]
fn the_client_keeps_its_word_on_2_2_16() -> Result<()> {
    fleet::run(async { every_claim(fleet::full_old().await?.server.uri()).await })
}

#[test]
fn the_client_keeps_its_word_on_lite() -> Result<()> {
    fleet::run(async { every_claim(fleet::lite_target().await?.uri()).await })
}

#[test]
fn wrong_credentials_are_refused_and_shown_nowhere() -> Result<()> {
    fleet::run(async { trust::wrong_credentials_are_refused(fleet::guarded().await?.uri()).await })
}

#[test]
fn a_batch_that_the_server_finds_too_large_goes_in_pieces() -> Result<()> {
    fleet::run(async {
        let guarded = fleet::guarded().await?;
        let endpoint = trust::with(guarded.uri(), trust::password("root", "Milvus"));
        writes::a_batch_that_the_server_finds_too_large_goes_in_pieces(&endpoint).await
    })
}

#[test]
fn an_unreachable_server_is_told_as_that() -> Result<()> {
    fleet::run(trust::an_unreachable_server_is_told("http://127.0.0.1:1"))
}
