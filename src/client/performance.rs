//! Calls of the performance service: lists with their pages merged, streams of pieces collected.

use super::connection::Client;
use super::error::ClientError;
use super::pages::all_pages;
use crate::wire::v1;
use tonic::Streaming;

/// 1,000: records asked for per page; pages end at 2 MiB anyway.
const PAGE_SIZE: i32 = 1_000;

/// A report for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Columns.
    pub columns: Vec<v1::ReportColumn>,
    /// Rows, with a cell for each column.
    pub rows: Vec<v1::ReportRow>,
}

impl Client {
    /// The metric catalogue.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn metrics(&self) -> Result<v1::ListMetricDescriptorsResponse, ClientError> {
        self.call(|| {
            let mut service = self.performance();
            async move { service.list_metric_descriptors(v1::ListMetricDescriptorsRequest::default()).await }
        })
        .await
    }

    /// Newest readings or history; page fields are not read.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn measurements(
        &self,
        request: v1::QueryMeasurementsRequest,
    ) -> Result<Vec<v1::MeasurementSeries>, ClientError> {
        let request = v1::QueryMeasurementsRequest { page_size: PAGE_SIZE, page_token: String::new(), ..request };
        all_pages!(self, performance, request, query_measurements, series)
    }

    /// Measurement jobs by name.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn measurement_jobs(&self) -> Result<Vec<v1::MeasurementJob>, ClientError> {
        let request = v1::ListMeasurementJobsRequest { page_size: PAGE_SIZE, ..Default::default() };
        all_pages!(self, performance, request, list_measurement_jobs, measurement_jobs)
    }

    /// Threshold monitors by name.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn threshold_monitors(&self) -> Result<Vec<v1::ThresholdMonitor>, ClientError> {
        let request = v1::ListThresholdMonitorsRequest { page_size: PAGE_SIZE, ..Default::default() };
        all_pages!(self, performance, request, list_threshold_monitors, threshold_monitors)
    }

    /// The newest reports of a job, at most a page.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn newest_reports(&self, job: &str, most: i32) -> Result<Vec<v1::MeasurementReport>, ClientError> {
        let request =
            v1::ListMeasurementReportsRequest { parent: job.to_owned(), page_size: most, page_token: String::new() };
        let page = self
            .call(|| {
                let (mut service, request) = (self.performance(), request.clone());
                async move { service.list_measurement_reports(request).await }
            })
            .await?;
        Ok(page.measurement_reports)
    }

    /// The document of a report of a job.
    ///
    /// # Errors
    /// As [`Client::call`]; a stream that breaks.
    pub async fn report_document(&self, request: v1::GetMeasurementReportRequest) -> Result<Vec<u8>, ClientError> {
        let mut pieces = self
            .call(|| {
                let (mut service, request) = (self.performance(), request.clone());
                async move { service.get_measurement_report(request).await }
            })
            .await?;
        let mut document = Vec::new();
        while let Some(piece) = self.next_piece(&mut pieces).await? {
            document.extend(piece.data);
        }
        Ok(document)
    }

    /// A report for people.
    ///
    /// # Errors
    /// As [`Client::call`]; a stream that breaks.
    pub async fn report(&self, request: v1::GenerateReportRequest) -> Result<Report, ClientError> {
        let mut pieces = self
            .call(|| {
                let (mut service, request) = (self.performance(), request.clone());
                async move { service.generate_report(request).await }
            })
            .await?;
        let mut report = Report::default();
        while let Some(piece) = self.next_piece(&mut pieces).await? {
            report.columns.extend(piece.columns);
            report.rows.extend(piece.rows);
        }
        Ok(report)
    }

    async fn next_piece<T>(&self, pieces: &mut Streaming<T>) -> Result<Option<T>, ClientError> {
        pieces.message().await.map_err(|status| ClientError::from_status(&status, &self.target().endpoint))
    }
}
