//! Lists that come in pages, merged.

/// Asks for all pages of a list: the client, its accessor of the service, the request, the method, and the field of
/// the answer.
macro_rules! all_pages {
    ($client:expr, $service:ident, $request:expr, $method:ident, $field:ident) => {{
        let mut request = $request;
        let mut all = Vec::new();
        loop {
            let page = $client
                .call(|| {
                    let (mut service, request) = ($client.$service(), request.clone());
                    async move { service.$method(request).await }
                })
                .await?;
            all.extend(page.$field);
            if page.next_page_token.is_empty() {
                break Ok(all);
            }
            request.page_token = page.next_page_token;
        }
    }};
}

pub(super) use all_pages;
