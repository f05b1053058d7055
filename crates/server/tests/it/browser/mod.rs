//! A browser without a screen: one cookie, forms with the page's own word, no redirects followed.
#![allow(dead_code, clippy::unwrap_used)]

use crate::home::Home;
use reqwest::{Client, RequestBuilder, Response, StatusCode, header, redirect::Policy};

pub struct Browser {
    http: Client,
    url: String,
    pub cookie: String,
}

/// An answer, read.
pub struct Page {
    pub status: StatusCode,
    pub location: String,
    pub cookie: String,
    pub text: String,
}

impl Page {
    /// Its text holds all of these.
    pub fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.text.contains(part), "{part:?} is not in ({}) {}", self.status, self.text);
        }
        self
    }
}

impl Browser {
    pub fn new(home: &Home) -> Self {
        // Making a client of ours sets up what TLS needs, which other clients in this process need as well.
        drop(home.operator());
        let http = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { http, url: home.ready.url.clone(), cookie: String::new() }
    }

    /// Signed in by a one-time link.
    pub async fn of(home: &Home, client: &tatau_client::Client) -> Self {
        let mut browser = Self::new(home);
        browser.enter(&client.open_session().await.unwrap().path).await;
        browser
    }

    pub async fn enter(&mut self, path: &str) {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        self.cookie = page.cookie;
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        if self.cookie.is_empty() { request } else { request.header(header::COOKIE, &self.cookie) }
    }

    pub async fn get(&self, path: &str) -> Page {
        read(self.request("GET", path).send().await.unwrap()).await
    }

    /// Sends a form as it is, with a word or without.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = self.request("POST", path).header(header::ORIGIN, &self.url);
        read(request.header(header::CONTENT_TYPE, FORM).body(form(fields)).send().await.unwrap()).await
    }

    /// Sends a form with the word of the page that it is on.
    pub async fn post(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let word = self.word(page).await;
        let fields: Vec<_> = [("csrf", word.as_str())].into_iter().chain(fields.iter().copied()).collect();
        self.send(path, &fields).await
    }

    pub async fn word(&self, page: &str) -> String {
        let text = self.get(page).await.text;
        text.split("data-csrf=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn form(fields: &[(&str, &str)]) -> String {
    let encode =
        |text: &str| -> String { text.bytes().fold(String::new(), |all, b| all + &format!("%{b:02X}")) };
    fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

pub async fn read(response: Response) -> Page {
    let told = |name: header::HeaderName| {
        response.headers().get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    let cookie = told(header::SET_COOKIE).split(';').next().unwrap_or_default().to_owned();
    let (status, location) = (response.status(), told(header::LOCATION));
    Page { status, location, cookie, text: response.text().await.unwrap() }
}
