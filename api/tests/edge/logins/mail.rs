//! What only the owner can mend is told by mail, where there is a mail server: a real conversation with one that takes notes.

use super::Logins;
use crate::world::Like;
use domain::settings::Mail;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A mail server that keeps what it is given; the first `refuse` mails it does not take now.
async fn mail_server(refuse: usize) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (mails, refused) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(refuse)));
    let kept = mails.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, kept.clone(), refused.clone()));
        }
    });
    (format!("smtp://{address}"), mails)
}

async fn converse(stream: TcpStream, mails: Arc<Mutex<Vec<String>>>, refused: Arc<Mutex<usize>>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (mut mail, mut in_data) = (String::new(), false);
    write.write_all(b"220 mail.test\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = if in_data && line == "." {
            in_data = false;
            mails.lock().unwrap().push(std::mem::take(&mut mail));
            "250 taken"
        } else if in_data {
            mail.push_str(&format!("{line}\n"));
            continue;
        } else if line.starts_with("MAIL FROM") && {
            let mut left = refused.lock().unwrap();
            let now = *left > 0;
            *left = left.saturating_sub(1);
            now
        } {
            "451 later"
        } else {
            match line.split(' ').next().unwrap_or_default() {
                "DATA" => {
                    in_data = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                _ => {
                    mail.push_str(&format!("{line}\n"));
                    "250 ok"
                }
            }
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn the_owner_is_told_by_mail_once() {
    let (url, mails) = mail_server(1).await;
    let mail = Mail { url: url.into(), from: "Retail Assist <assist@shop.test>".to_owned() };
    let logins = Logins::like(Like { mail: Some(mail), ..Like::default() }).await;
    let mut ada = logins.owner.clone();
    let account = logins.instagram().await;
    logins.connect(&mut ada, "instagram", &[&account]).await;
    logins.control("/sandbox/deauthorize", json!({ "accountId": account, "times": 2 })).await;
    logins
        .until("the refused mail", || async {
            let jobs = logins.jobs("notification.mail").await;
            if jobs.first().is_some_and(|job| job.state == "retryable") { Ok(()) } else { Err(format!("{jobs:?}")) }
        })
        .await;
    assert!(mails.lock().unwrap().is_empty());
    logins.advance(60_000).await;
    logins
        .until("the mail", || async {
            let count = mails.lock().unwrap().len();
            if count == 1 { Ok(()) } else { Err(count.to_string()) }
        })
        .await;
    logins.until_idle().await;
    let all = mails.lock().unwrap().clone();
    assert_eq!(all.len(), 1);
    for part in [
        "RCPT TO:<ada@shop.test>",
        "From: \"Retail Assist\" <assist@shop.test>",
        "must be connected again",
        "/dashboard/integrations",
    ] {
        assert!(all[0].contains(part), "{part} is not in {}", all[0]);
    }
    let jobs = logins.jobs("notification.mail").await;
    assert_eq!((jobs.len(), jobs[0].state.as_str()), (1, "completed"));
    logins.stop().await;
}

#[tokio::test]
async fn a_mail_server_that_is_away_costs_a_retry_and_shows_no_address() {
    // Nobody listens there.
    let mail = Mail { url: "smtp://user:geheim@127.0.0.1:9".to_owned().into(), from: "a@shop.test".to_owned() };
    let logins = Logins::like(Like { mail: Some(mail), ..Like::default() }).await;
    let mut ada = logins.owner.clone();
    let account = logins.instagram().await;
    logins.connect(&mut ada, "instagram", &[&account]).await;
    logins.control("/sandbox/deauthorize", json!({ "accountId": account })).await;
    let failure = logins
        .until("the retry", || async {
            let jobs = logins.jobs("notification.mail").await;
            let failed = jobs.first().and_then(|job| job.error_message.clone());
            failed.ok_or_else(|| format!("{jobs:?}"))
        })
        .await;
    assert!(!failure.contains("geheim") && !failure.contains("user"), "{failure}");
    logins.stop().await;
}
