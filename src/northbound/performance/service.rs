//! `PerformanceService`: one method per RPC, nothing else; what they do is in the files beside.

use super::port::MeasurementCommand;
use super::reader::Performance;
use super::records::{merged_job, merged_monitor};
use super::reports::Pieces;
use super::stream::MeasurementAnswers;
use crate::model::{Name, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::listing::PageArguments;
use crate::northbound::request::{called, context, name_of_class, new_name};
use crate::wire::convert;
use crate::wire::v1;
use tonic::{Request, Response, Status};
use v1::performance_service_server::PerformanceService;

/// The context of a change of a record.
macro_rules! change {
    ($call:ident, $request:ident, $etag:expr) => {
        context(&$call, $request.actor.as_ref(), &$request.request_id, $etag, $request.validate_only)?
    };
}

/// Suspends or resumes a record.
macro_rules! suspend {
    ($self:ident, $request:ident, $class:ident, $convert:ident, $suspended:literal) => {{
        let (call, request) = called($request)?;
        let context = change!(call, request, &request.etag);
        let object = $self.set_suspended(context, ObjectClass::$class, &request.name, $suspended).await?;
        let message = convert::$convert(&object);
        Ok(Response::new(message.ok_or_else(|| Failure::not_found(Some(ObjectClass::$class), &request.name))?))
    }};
}

#[tonic::async_trait]
impl PerformanceService for Performance {
    async fn list_metric_descriptors(
        &self,
        request: Request<v1::ListMetricDescriptorsRequest>,
    ) -> Result<Response<v1::ListMetricDescriptorsResponse>, Status> {
        Ok(Response::new(self.metrics(&request.into_inner())?))
    }

    async fn query_measurements(
        &self,
        request: Request<v1::QueryMeasurementsRequest>,
    ) -> Result<Response<v1::QueryMeasurementsResponse>, Status> {
        Ok(Response::new(self.query(request.into_inner()).await?))
    }

    type WatchMeasurementsStream = MeasurementAnswers;

    async fn watch_measurements(
        &self,
        request: Request<v1::WatchMeasurementsRequest>,
    ) -> Result<Response<MeasurementAnswers>, Status> {
        let (call, request) = called(request)?;
        Ok(Response::new(self.watch(&call.caller, request)?))
    }

    async fn get_measurement_job(
        &self,
        request: Request<v1::GetMeasurementJobRequest>,
    ) -> Result<Response<v1::MeasurementJob>, Status> {
        let name = request.into_inner().name;
        let message = convert::measurement_job(&*self.record("name", ObjectClass::MeasurementJob, &name)?);
        Ok(Response::new(message.ok_or_else(|| Failure::not_found(Some(ObjectClass::MeasurementJob), &name))?))
    }

    async fn list_measurement_jobs(
        &self,
        request: Request<v1::ListMeasurementJobsRequest>,
    ) -> Result<Response<v1::ListMeasurementJobsResponse>, Status> {
        let request = request.into_inner();
        let arguments = PageArguments { page_size: request.page_size, page_token: &request.page_token };
        let page = self.records(ObjectClass::MeasurementJob, arguments)?;
        Ok(Response::new(v1::ListMeasurementJobsResponse {
            measurement_jobs: page.objects.iter().filter_map(|object| convert::measurement_job(object)).collect(),
            next_page_token: page.next_page_token,
            total_size: page.total_size,
        }))
    }

    async fn create_measurement_job(
        &self,
        request: Request<v1::CreateMeasurementJobRequest>,
    ) -> Result<Response<v1::CreateMeasurementJobResponse>, Status> {
        let (call, request) = called(request)?;
        let context = change!(call, request, "");
        let name = new_name("measurement_job_id", &request.measurement_job_id, Name::measurement_job)?;
        let wanted = request.measurement_job.ok_or_else(|| Failure::field("measurement_job", "is required"))?;
        let (message, support) = self.put_job(context, name, true, wanted).await?;
        Ok(Response::new(v1::CreateMeasurementJobResponse {
            measurement_job: Some(message),
            unsupported: support.unsupported,
            unsupported_omitted: support.omitted,
            series_count: support.series,
        }))
    }

    async fn update_measurement_job(
        &self,
        request: Request<v1::UpdateMeasurementJobRequest>,
    ) -> Result<Response<v1::UpdateMeasurementJobResponse>, Status> {
        let (call, request) = called(request)?;
        let wanted = request.measurement_job.ok_or_else(|| Failure::field("measurement_job", "is required"))?;
        let context = change!(call, request, &wanted.etag);
        let present = self.record("measurement_job.name", ObjectClass::MeasurementJob, &wanted.name)?;
        let wanted = merged_job(&present, wanted, request.update_mask.as_ref())?;
        let (message, support) = self.put_job(context, present.name.clone(), false, wanted).await?;
        Ok(Response::new(v1::UpdateMeasurementJobResponse {
            measurement_job: Some(message),
            unsupported: support.unsupported,
            unsupported_omitted: support.omitted,
            series_count: support.series,
        }))
    }

    async fn delete_measurement_job(
        &self,
        request: Request<v1::DeleteMeasurementJobRequest>,
    ) -> Result<Response<()>, Status> {
        let (call, request) = called(request)?;
        let context = change!(call, request, &request.etag);
        let name = name_of_class("name", &request.name, ObjectClass::MeasurementJob)?;
        let command = MeasurementCommand::DeleteJob(name);
        self.measurements.command(context, command).await.map_err(Failure::from)?;
        Ok(Response::new(()))
    }

    async fn suspend_measurement_job(
        &self,
        request: Request<v1::SuspendMeasurementJobRequest>,
    ) -> Result<Response<v1::MeasurementJob>, Status> {
        suspend!(self, request, MeasurementJob, measurement_job, true)
    }

    async fn resume_measurement_job(
        &self,
        request: Request<v1::ResumeMeasurementJobRequest>,
    ) -> Result<Response<v1::MeasurementJob>, Status> {
        suspend!(self, request, MeasurementJob, measurement_job, false)
    }

    async fn get_threshold_monitor(
        &self,
        request: Request<v1::GetThresholdMonitorRequest>,
    ) -> Result<Response<v1::ThresholdMonitor>, Status> {
        let name = request.into_inner().name;
        let message = convert::threshold_monitor(&*self.record("name", ObjectClass::ThresholdMonitor, &name)?);
        Ok(Response::new(message.ok_or_else(|| Failure::not_found(Some(ObjectClass::ThresholdMonitor), &name))?))
    }

    async fn list_threshold_monitors(
        &self,
        request: Request<v1::ListThresholdMonitorsRequest>,
    ) -> Result<Response<v1::ListThresholdMonitorsResponse>, Status> {
        let request = request.into_inner();
        let arguments = PageArguments { page_size: request.page_size, page_token: &request.page_token };
        let page = self.records(ObjectClass::ThresholdMonitor, arguments)?;
        Ok(Response::new(v1::ListThresholdMonitorsResponse {
            threshold_monitors: page.objects.iter().filter_map(|object| convert::threshold_monitor(object)).collect(),
            next_page_token: page.next_page_token,
            total_size: page.total_size,
        }))
    }

    async fn create_threshold_monitor(
        &self,
        request: Request<v1::CreateThresholdMonitorRequest>,
    ) -> Result<Response<v1::CreateThresholdMonitorResponse>, Status> {
        let (call, request) = called(request)?;
        let context = change!(call, request, "");
        let name = new_name("threshold_monitor_id", &request.threshold_monitor_id, Name::threshold_monitor)?;
        let wanted = request.threshold_monitor.ok_or_else(|| Failure::field("threshold_monitor", "is required"))?;
        let (message, support) = self.put_monitor(context, name, true, wanted).await?;
        Ok(Response::new(v1::CreateThresholdMonitorResponse {
            threshold_monitor: Some(message),
            unsupported: support.unsupported,
            unsupported_omitted: support.omitted,
            series_count: support.series,
        }))
    }

    async fn update_threshold_monitor(
        &self,
        request: Request<v1::UpdateThresholdMonitorRequest>,
    ) -> Result<Response<v1::UpdateThresholdMonitorResponse>, Status> {
        let (call, request) = called(request)?;
        let wanted = request.threshold_monitor.ok_or_else(|| Failure::field("threshold_monitor", "is required"))?;
        let context = change!(call, request, &wanted.etag);
        let present = self.record("threshold_monitor.name", ObjectClass::ThresholdMonitor, &wanted.name)?;
        let wanted = merged_monitor(&present, wanted, request.update_mask.as_ref())?;
        let (message, support) = self.put_monitor(context, present.name.clone(), false, wanted).await?;
        Ok(Response::new(v1::UpdateThresholdMonitorResponse {
            threshold_monitor: Some(message),
            unsupported: support.unsupported,
            unsupported_omitted: support.omitted,
            series_count: support.series,
        }))
    }

    async fn delete_threshold_monitor(
        &self,
        request: Request<v1::DeleteThresholdMonitorRequest>,
    ) -> Result<Response<()>, Status> {
        let (call, request) = called(request)?;
        let context = change!(call, request, &request.etag);
        let name = name_of_class("name", &request.name, ObjectClass::ThresholdMonitor)?;
        let command = MeasurementCommand::DeleteMonitor(name);
        self.measurements.command(context, command).await.map_err(Failure::from)?;
        Ok(Response::new(()))
    }

    async fn suspend_threshold_monitor(
        &self,
        request: Request<v1::SuspendThresholdMonitorRequest>,
    ) -> Result<Response<v1::ThresholdMonitor>, Status> {
        suspend!(self, request, ThresholdMonitor, threshold_monitor, true)
    }

    async fn resume_threshold_monitor(
        &self,
        request: Request<v1::ResumeThresholdMonitorRequest>,
    ) -> Result<Response<v1::ThresholdMonitor>, Status> {
        suspend!(self, request, ThresholdMonitor, threshold_monitor, false)
    }

    async fn list_measurement_reports(
        &self,
        request: Request<v1::ListMeasurementReportsRequest>,
    ) -> Result<Response<v1::ListMeasurementReportsResponse>, Status> {
        Ok(Response::new(self.list_reports(&request.into_inner())?))
    }

    type GetMeasurementReportStream = Pieces<v1::GetMeasurementReportResponse>;

    async fn get_measurement_report(
        &self,
        request: Request<v1::GetMeasurementReportRequest>,
    ) -> Result<Response<Self::GetMeasurementReportStream>, Status> {
        Ok(Response::new(self.get_report(request.into_inner()).await?))
    }

    type GenerateReportStream = Pieces<v1::GenerateReportResponse>;

    async fn generate_report(
        &self,
        request: Request<v1::GenerateReportRequest>,
    ) -> Result<Response<Self::GenerateReportStream>, Status> {
        Ok(Response::new(self.generate(request.into_inner()).await?))
    }
}
