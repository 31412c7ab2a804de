//! Reads of the alarm service: lists with their pages merged, single alarms, types and rules.

use super::connection::Client;
use super::error::ClientError;
use super::pages::all_pages;
use crate::wire::v1;
use tonic::Code;

/// 500: records asked for per page; pages end at 2 MiB anyway.
const PAGE_SIZE: i32 = 500;

/// Which alarms, in which order, and how much of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlarmQuery {
    /// Filter of the interface (AIP-160); empty for all.
    pub filter: String,
    /// Order; by name if empty.
    pub order_by: String,
    /// Everything, or without history and the lists of alarms and objects concerned.
    pub full: bool,
}

/// All alarms of a list, pages merged.
#[derive(Clone, Debug, Default)]
pub struct AlarmList {
    /// The alarms, in the order of the list.
    pub alarms: Vec<v1::Alarm>,
    /// The log's position when the first page was made: a watch from it misses nothing.
    pub position: Option<v1::StreamPosition>,
    /// What cannot be trusted now.
    pub list_status: Option<v1::ListStatus>,
}

impl Client {
    /// Lists alarms of the alarm list. A page token that has become invalid in between (the daemon restarted)
    /// begins the list anew, once.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn alarms(&self, query: &AlarmQuery) -> Result<AlarmList, ClientError> {
        match self.alarms_once(query).await {
            Err(error) if error.reason() == v1::ErrorReason::InvalidPageToken => self.alarms_once(query).await,
            result => result,
        }
    }

    async fn alarms_once(&self, query: &AlarmQuery) -> Result<AlarmList, ClientError> {
        let view = if query.full { v1::View::Full } else { v1::View::Basic };
        let mut request = v1::ListAlarmsRequest {
            page_size: PAGE_SIZE,
            page_token: String::new(),
            filter: query.filter.clone(),
            order_by: query.order_by.clone(),
            view: view.into(),
        };
        let mut list = AlarmList::default();
        loop {
            let page = self
                .call(|| {
                    let (mut service, request) = (self.alarm_service(), request.clone());
                    async move { service.list_alarms(request).await }
                })
                .await?;
            list.alarms.extend(page.alarms);
            list.position = list.position.take().or(page.position);
            list.list_status = page.list_status;
            if page.next_page_token.is_empty() {
                return Ok(list);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// One alarm with everything; nothing if it is not on the list.
    ///
    /// # Errors
    /// As [`Client::call`], but for a name that denotes nothing.
    pub async fn alarm(&self, name: &str) -> Result<Option<v1::Alarm>, ClientError> {
        let request = v1::GetAlarmRequest { name: name.to_owned(), view: v1::View::Full.into() };
        let found = self
            .call(|| {
                let (mut service, request) = (self.alarm_service(), request.clone());
                async move { service.get_alarm(request).await }
            })
            .await;
        match found {
            Ok(alarm) => Ok(Some(alarm)),
            Err(error) if error.refusal().is_some_and(|refusal| refusal.code == Code::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Counts alarms.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn alarm_summary(&self, filter: &str) -> Result<v1::SummarizeAlarmsResponse, ClientError> {
        let request = v1::SummarizeAlarmsRequest { filter: filter.to_owned() };
        self.call(|| {
            let (mut service, request) = (self.alarm_service(), request.clone());
            async move { service.summarize_alarms(request).await }
        })
        .await
    }

    /// The types of the catalogue.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn alarm_types(&self) -> Result<v1::ListAlarmTypesResponse, ClientError> {
        self.call(|| {
            let mut service = self.alarm_service();
            async move { service.list_alarm_types(v1::ListAlarmTypesRequest::default()).await }
        })
        .await
    }

    /// Shelves in the order in which they are tried.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn alarm_shelves(&self) -> Result<Vec<v1::AlarmShelf>, ClientError> {
        all_pages!(
            self,
            alarm_service,
            v1::ListAlarmShelvesRequest { page_size: PAGE_SIZE, ..Default::default() },
            list_alarm_shelves,
            alarm_shelves
        )
    }

    /// Profiles in the order in which they are tried.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn alarm_profiles(&self) -> Result<Vec<v1::AlarmProfile>, ClientError> {
        all_pages!(
            self,
            alarm_service,
            v1::ListAlarmProfilesRequest { page_size: PAGE_SIZE, ..Default::default() },
            list_alarm_profiles,
            alarm_profiles
        )
    }

    /// Alarms that have left the list, the one closed last first, at most `limit`; page fields are not read.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn alarm_history(
        &self,
        request: v1::ListAlarmHistoryRequest,
        limit: usize,
    ) -> Result<Vec<v1::ClosedAlarm>, ClientError> {
        let page_size = i32::try_from(limit).unwrap_or(PAGE_SIZE).min(PAGE_SIZE);
        let mut request = v1::ListAlarmHistoryRequest { page_size, page_token: String::new(), ..request };
        let mut closed = Vec::new();
        loop {
            let page = self
                .call(|| {
                    let (mut service, request) = (self.alarm_service(), request.clone());
                    async move { service.list_alarm_history(request).await }
                })
                .await?;
            closed.extend(page.closed_alarms);
            if page.next_page_token.is_empty() || closed.len() >= limit {
                closed.truncate(limit);
                return Ok(closed);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Every object that suffers from an alarm's fault.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn impact(&self, name: &str) -> Result<Vec<v1::ImpactedObject>, ClientError> {
        let request = v1::GetImpactRequest { name: name.to_owned(), page_size: PAGE_SIZE, ..Default::default() };
        all_pages!(self, alarm_service, request, get_impact, impacted)
    }
}
