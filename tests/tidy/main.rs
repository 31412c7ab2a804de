//! The house kept in order: who imports whom, words, sizes, documents that agree with the code.

mod alarm_pages;
mod alarms;
mod alarms_pending;
mod contract;
mod filters;
mod imports;
mod mapping;
mod meaning;
mod metric_page;
mod policies;
mod profiles;
mod requirements;
mod sources;
mod words;
