//! A Redis server that is killed and started again, and one that forgets.

use testbed::Redis;

#[test]
fn one_remembers_through_a_crash_and_the_other_does_not() {
    for (remembers, after) in [(true, "1"), (false, "0")] {
        let mut redis = if remembers { Redis::that_remembers() } else { Redis::start() }.unwrap();
        redis.run(7, "SET a b").unwrap();
        assert_eq!((redis.run(7, "GET a").unwrap().as_str(), redis.run(8, "EXISTS a").unwrap().as_str()), ("b", "0"));
        let url = redis.url(7);
        redis.kill().unwrap();
        assert!(redis.pid().is_none() && redis.run(7, "PING").is_err());
        redis.start_again().unwrap();
        assert_eq!(redis.run(7, "EXISTS a").unwrap(), after, "remembers: {remembers}");
        assert_eq!(redis.url(7), url, "clients find it again");
    }
}

#[test]
fn everything_is_forgotten_at_once() {
    let mut redis = Redis::that_remembers().unwrap();
    for database in [0, 7, 4095] {
        redis.run(database, "SET a b").unwrap();
    }
    redis.flush_all().unwrap();
    redis.stop().unwrap();
    redis.start_again().unwrap();
    for database in [0, 7, 4095] {
        assert_eq!(redis.run(database, "DBSIZE").unwrap(), "0");
    }
}
