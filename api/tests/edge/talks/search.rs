//! Finding conversations by what was said in them and by who said it, in either case, with the signs that databases take for
//! something else.

use super::Talks;
use serde_json::{Value, json};

#[tokio::test]
async fn words_are_found_as_they_are_written_and_nothing_else() {
    let talks = Talks::new().await;
    let said = ["It costs 50% less!", "It costs 50 euros less", "snake_case", "snake case", "C:\\temp", "Äpfel"];
    for (n, text) in said.iter().enumerate() {
        let person = format!("90000000000000{n}");
        let named = json!({ "accountId": talks.page.external_id, "id": person, "name": format!("Number {n}") });
        talks.logins.control("/sandbox/customers", named).await;
        talks.dm(&talks.page, &person, json!({ "text": text })).await;
    }
    let world = &talks.logins.world;
    for (words, expected) in [
        ("50%", vec![0]),
        ("costs 50", vec![0, 1]),
        ("LESS", vec![0, 1]),
        ("less!", vec![0]),
        ("snake_", vec![2]),
        ("Snake", vec![2, 3]),
        ("c:\\t", vec![4]),
        ("\\", vec![4]),
        ("äpfel", vec![5]),
        ("ÄPFEL", vec![5]),
        ("number 3", vec![3]),
        ("900000000000002", vec![2]),
        ("'; DROP TABLE messages; --", vec![]),
        ("nobody", vec![]),
    ] {
        let found = world.request(&talks.logins.owner, "GET", "/api/conversations").query(&[("q", words)]);
        let found: Value = found.send().await.unwrap().json().await.unwrap();
        let mut seen: Vec<usize> = found["items"]
            .as_array()
            .unwrap_or_else(|| panic!("{words}: {found}"))
            .iter()
            .map(|one| said.iter().position(|text| one["lastMessage"]["text"] == *text).unwrap())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, expected, "{words}");
    }
    talks.stop().await;
}
