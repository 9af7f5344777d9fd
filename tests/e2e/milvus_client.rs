//! Claims about the client, each on a real server at `uri`. They hold on Milvus 2.2.16, 2.3.5 and Milvus Lite alike.

mod keys;
mod place;
mod reads;
mod rows;
mod things;
mod trust;
mod writes;

pub use keys::{
    nasty_keys_survive_every_delete, nasty_keys_survive_every_range,
    numbers_at_the_ends_survive_every_expression,
};
pub use reads::{
    a_range_answers_every_row, an_answer_that_is_too_large_comes_in_parts,
    border_keys_are_sorted_and_come_to_an_end, rows_are_seen_from_the_next_read_point_on,
};
pub use things::{
    a_described_collection_can_be_made_again, aliases_are_made_found_moved_and_dropped,
    databases_keep_their_collections_apart, what_is_missing_is_told_apart,
};
pub use trust::{
    an_unreachable_server_is_told_as_that, wrong_credentials_are_refused_and_shown_nowhere,
};
pub use writes::{
    a_batch_that_is_too_large_goes_in_pieces,
    a_batch_that_the_server_finds_too_large_goes_in_pieces, replacing_leaves_one_row_for_each_key,
};
