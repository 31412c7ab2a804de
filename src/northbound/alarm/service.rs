//! `AlarmService`: one method per RPC, nothing else; what they do is in the files beside.

use super::acts::one_alarm;
use super::reader::Alarms;
use super::refusal::only;
use super::rules::{merged_profile, merged_shelf};
use super::stream::AlarmAnswers;
use crate::model::alarm_command::{AlarmAct, AlarmCommand};
use crate::model::{Name, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::listing::PageArguments;
use crate::northbound::request::{called, context, name_of_class, new_name};
use crate::wire::convert;
use crate::wire::v1;
use tonic::{Request, Response, Status};
use v1::alarm_service_server::AlarmService;

/// Acts on the one alarm of a request.
macro_rules! act {
    ($self:ident, $request:ident, $related:expr, $act:expr) => {{
        let (call, request) = called($request)?;
        let related = $related(&request);
        let act = $act(&request);
        Ok(Response::new($self.act(&call, one_alarm!(request, related), act).await?))
    }};
}

/// Acts on the alarms of a batch.
macro_rules! batch {
    ($self:ident, $request:ident, $act:ident, $response:ident) => {{
        let (call, request) = called($request)?;
        let context = context(&call, request.actor.as_ref(), &request.request_id, "", request.validate_only)?;
        let act = AlarmAct::$act(request.comment);
        let (results, failed_count) = $self.act_on_all(context, &request.targets, request.related, act).await?;
        Ok(Response::new(v1::$response { results, failed_count }))
    }};
}

/// The context of a change of a rule.
macro_rules! change {
    ($call:ident, $request:ident, $etag:expr) => {
        context(&$call, $request.actor.as_ref(), &$request.request_id, $etag, $request.validate_only)?
    };
}

#[tonic::async_trait]
impl AlarmService for Alarms {
    async fn get_alarm(&self, request: Request<v1::GetAlarmRequest>) -> Result<Response<v1::Alarm>, Status> {
        Ok(Response::new(self.get(&request.into_inner())?))
    }

    async fn list_alarms(
        &self,
        request: Request<v1::ListAlarmsRequest>,
    ) -> Result<Response<v1::ListAlarmsResponse>, Status> {
        Ok(Response::new(self.list(&request.into_inner())?))
    }

    type WatchAlarmsStream = AlarmAnswers;

    async fn watch_alarms(&self, request: Request<v1::WatchAlarmsRequest>) -> Result<Response<AlarmAnswers>, Status> {
        let (call, request) = called(request)?;
        Ok(Response::new(self.watch(&call.caller, request)?))
    }

    async fn pull_alarm_changes(
        &self,
        request: Request<v1::PullAlarmChangesRequest>,
    ) -> Result<Response<v1::PullAlarmChangesResponse>, Status> {
        let (call, request) = called(request)?;
        Ok(Response::new(self.pull(&call, request).await?))
    }

    async fn summarize_alarms(
        &self,
        request: Request<v1::SummarizeAlarmsRequest>,
    ) -> Result<Response<v1::SummarizeAlarmsResponse>, Status> {
        Ok(Response::new(self.summarize(&request.into_inner())?))
    }

    async fn list_alarm_history(
        &self,
        request: Request<v1::ListAlarmHistoryRequest>,
    ) -> Result<Response<v1::ListAlarmHistoryResponse>, Status> {
        Ok(Response::new(self.history(request.into_inner()).await?))
    }

    async fn get_impact(
        &self,
        request: Request<v1::GetImpactRequest>,
    ) -> Result<Response<v1::GetImpactResponse>, Status> {
        Ok(Response::new(self.impact(&request.into_inner())?))
    }

    async fn list_alarm_types(
        &self,
        request: Request<v1::ListAlarmTypesRequest>,
    ) -> Result<Response<v1::ListAlarmTypesResponse>, Status> {
        Ok(Response::new(self.types(&request.into_inner())?))
    }

    async fn acknowledge_alarm(
        &self,
        request: Request<v1::AcknowledgeAlarmRequest>,
    ) -> Result<Response<v1::Alarm>, Status> {
        act!(self, request, |r: &v1::AcknowledgeAlarmRequest| r.related, |r: &v1::AcknowledgeAlarmRequest| {
            AlarmAct::Acknowledge(r.comment.clone())
        })
    }

    async fn unacknowledge_alarm(
        &self,
        request: Request<v1::UnacknowledgeAlarmRequest>,
    ) -> Result<Response<v1::Alarm>, Status> {
        act!(self, request, |r: &v1::UnacknowledgeAlarmRequest| r.related, |r: &v1::UnacknowledgeAlarmRequest| {
            AlarmAct::Unacknowledge(r.comment.clone())
        })
    }

    async fn batch_acknowledge_alarms(
        &self,
        request: Request<v1::BatchAcknowledgeAlarmsRequest>,
    ) -> Result<Response<v1::BatchAcknowledgeAlarmsResponse>, Status> {
        batch!(self, request, Acknowledge, BatchAcknowledgeAlarmsResponse)
    }

    async fn batch_unacknowledge_alarms(
        &self,
        request: Request<v1::BatchUnacknowledgeAlarmsRequest>,
    ) -> Result<Response<v1::BatchUnacknowledgeAlarmsResponse>, Status> {
        batch!(self, request, Unacknowledge, BatchUnacknowledgeAlarmsResponse)
    }

    async fn clear_alarm(&self, request: Request<v1::ClearAlarmRequest>) -> Result<Response<v1::Alarm>, Status> {
        act!(self, request, |_: &_| false, |r: &v1::ClearAlarmRequest| AlarmAct::Clear(r.comment.clone()))
    }

    async fn comment_alarm(&self, request: Request<v1::CommentAlarmRequest>) -> Result<Response<v1::Alarm>, Status> {
        act!(self, request, |_: &_| false, |r: &v1::CommentAlarmRequest| AlarmAct::Comment(r.text.clone()))
    }

    async fn link_alarm(&self, request: Request<v1::LinkAlarmRequest>) -> Result<Response<v1::Alarm>, Status> {
        act!(self, request, |_: &_| false, |r: &v1::LinkAlarmRequest| {
            let reference = r.reference.clone();
            if r.remove { AlarmAct::Unlink(reference) } else { AlarmAct::Link(reference) }
        })
    }

    async fn purge_alarms(
        &self,
        request: Request<v1::PurgeAlarmsRequest>,
    ) -> Result<Response<v1::PurgeAlarmsResponse>, Status> {
        let (call, request) = called(request)?;
        Ok(Response::new(self.purge(&call, request).await?))
    }

    async fn report_condition(
        &self,
        request: Request<v1::ReportConditionRequest>,
    ) -> Result<Response<v1::ReportConditionResponse>, Status> {
        let (call, request) = called(request)?;
        Ok(Response::new(self.report(&call, request).await?))
    }

    async fn get_alarm_shelf(
        &self,
        request: Request<v1::GetAlarmShelfRequest>,
    ) -> Result<Response<v1::AlarmShelf>, Status> {
        let name = request.into_inner().name;
        let object = self.record(ObjectClass::AlarmShelf, &name)?;
        let shelf = convert::alarm_shelf(&object);
        Ok(Response::new(shelf.ok_or_else(|| Failure::not_found(Some(ObjectClass::AlarmShelf), &name))?))
    }

    async fn list_alarm_shelves(
        &self,
        request: Request<v1::ListAlarmShelvesRequest>,
    ) -> Result<Response<v1::ListAlarmShelvesResponse>, Status> {
        let request = request.into_inner();
        let arguments = PageArguments { page_size: request.page_size, page_token: &request.page_token };
        let page = self.rules(ObjectClass::AlarmShelf, arguments)?;
        Ok(Response::new(v1::ListAlarmShelvesResponse {
            alarm_shelves: page.objects.iter().filter_map(|object| convert::alarm_shelf(object)).collect(),
            next_page_token: page.next_page_token,
            total_size: page.total_size,
        }))
    }

    async fn create_alarm_shelf(
        &self,
        request: Request<v1::CreateAlarmShelfRequest>,
    ) -> Result<Response<v1::AlarmShelf>, Status> {
        let (call, request) = called(request)?;
        let context = change!(call, request, "");
        let name = new_name("alarm_shelf_id", &request.alarm_shelf_id, Name::alarm_shelf)?;
        let shelf = request.alarm_shelf.ok_or_else(|| Failure::field("alarm_shelf", "is required"))?;
        Ok(Response::new(self.put_shelf(context, name, true, shelf).await?))
    }

    async fn update_alarm_shelf(
        &self,
        request: Request<v1::UpdateAlarmShelfRequest>,
    ) -> Result<Response<v1::AlarmShelf>, Status> {
        let (call, request) = called(request)?;
        let shelf = request.alarm_shelf.ok_or_else(|| Failure::field("alarm_shelf", "is required"))?;
        let context = change!(call, request, &shelf.etag);
        let present = self.present(ObjectClass::AlarmShelf, "alarm_shelf.name", &shelf.name)?;
        let shelf = merged_shelf(&present, shelf, request.update_mask.as_ref())?;
        Ok(Response::new(self.put_shelf(context, present.name.clone(), false, shelf).await?))
    }

    async fn delete_alarm_shelf(&self, request: Request<v1::DeleteAlarmShelfRequest>) -> Result<Response<()>, Status> {
        let (call, request) = called(request)?;
        let context = change!(call, request, &request.etag);
        let name = name_of_class("name", &request.name, ObjectClass::AlarmShelf)?;
        let outcomes = self.engine.alarms(context, AlarmCommand::DeleteShelf(name)).await;
        only(outcomes.map_err(Failure::from)?)?;
        Ok(Response::new(()))
    }

    async fn get_alarm_profile(
        &self,
        request: Request<v1::GetAlarmProfileRequest>,
    ) -> Result<Response<v1::AlarmProfile>, Status> {
        let name = request.into_inner().name;
        let object = self.record(ObjectClass::AlarmProfile, &name)?;
        let profile = convert::alarm_profile(&object);
        Ok(Response::new(profile.ok_or_else(|| Failure::not_found(Some(ObjectClass::AlarmProfile), &name))?))
    }

    async fn list_alarm_profiles(
        &self,
        request: Request<v1::ListAlarmProfilesRequest>,
    ) -> Result<Response<v1::ListAlarmProfilesResponse>, Status> {
        let request = request.into_inner();
        let arguments = PageArguments { page_size: request.page_size, page_token: &request.page_token };
        let page = self.rules(ObjectClass::AlarmProfile, arguments)?;
        Ok(Response::new(v1::ListAlarmProfilesResponse {
            alarm_profiles: page.objects.iter().filter_map(|object| convert::alarm_profile(object)).collect(),
            next_page_token: page.next_page_token,
            total_size: page.total_size,
        }))
    }

    async fn create_alarm_profile(
        &self,
        request: Request<v1::CreateAlarmProfileRequest>,
    ) -> Result<Response<v1::AlarmProfile>, Status> {
        let (call, request) = called(request)?;
        let context = change!(call, request, "");
        let name = new_name("alarm_profile_id", &request.alarm_profile_id, Name::alarm_profile)?;
        let profile = request.alarm_profile.ok_or_else(|| Failure::field("alarm_profile", "is required"))?;
        Ok(Response::new(self.put_profile(context, name, true, profile).await?))
    }

    async fn update_alarm_profile(
        &self,
        request: Request<v1::UpdateAlarmProfileRequest>,
    ) -> Result<Response<v1::AlarmProfile>, Status> {
        let (call, request) = called(request)?;
        let profile = request.alarm_profile.ok_or_else(|| Failure::field("alarm_profile", "is required"))?;
        let context = change!(call, request, &profile.etag);
        let present = self.present(ObjectClass::AlarmProfile, "alarm_profile.name", &profile.name)?;
        let profile = merged_profile(&present, profile, request.update_mask.as_ref())?;
        Ok(Response::new(self.put_profile(context, present.name.clone(), false, profile).await?))
    }

    async fn delete_alarm_profile(
        &self,
        request: Request<v1::DeleteAlarmProfileRequest>,
    ) -> Result<Response<()>, Status> {
        let (call, request) = called(request)?;
        let context = change!(call, request, &request.etag);
        let name = name_of_class("name", &request.name, ObjectClass::AlarmProfile)?;
        let outcomes = self.engine.alarms(context, AlarmCommand::DeleteProfile(name)).await;
        only(outcomes.map_err(Failure::from)?)?;
        Ok(Response::new(()))
    }
}
