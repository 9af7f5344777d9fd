mod frames;
mod roads;
mod strangers;
