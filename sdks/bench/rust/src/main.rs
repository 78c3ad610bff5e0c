//! What a call costs in Rust: `bench measure PORT`.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use odin_sdk::Odin;

fn line(number: u32) -> String {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let (seconds, micros) = (at.as_secs(), at.subsec_micros());
    let (hours, minutes, seconds) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let value = f64::from(number) + 0.5;
    format!(
        "{{\"seq\":{number},\"at\":\"2020-02-20T{hours:02}:{minutes:02}:{seconds:02}.{micros:06}Z\",\
         \"kind\":\"watch\",\"name\":\"price\",\"value\":{value}}}\n"
    )
}

fn post(port: &str, number: u32) {
    let body = format!("watch,price,{number}.5,a37b187f5930,1606000000");
    let mut connection = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the server listens");
    let request = format!(
        "POST /stats/add HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).expect("the server reads");
    connection.read_to_end(&mut Vec::new()).expect("the server answers");
}

fn work(length: Duration) {
    let began = Instant::now();
    let mut numbers = [0_u32; 1000];
    while began.elapsed() < length {
        for (at, number) in (0..).zip(black_box(&mut numbers)) {
            *number = (*number * 3 + at) % 1001;
        }
    }
}

fn in_a_row(odin: &Odin, mut call: impl FnMut(u32)) -> Vec<Duration> {
    let round = |_| {
        let began = Instant::now();
        (0..2000).for_each(&mut call);
        let mean = began.elapsed() / 2000;
        assert!(odin.flush(Duration::from_secs(60)).is_complete());
        mean
    };
    (0..60).map(round).collect()
}

fn each_after(mut call: impl FnMut(u32), pause: fn(Duration), length: Duration, count: u32) -> Vec<Duration> {
    let timed = |number| {
        pause(length);
        let began = Instant::now();
        call(number);
        began.elapsed()
    };
    (0..count).map(timed).collect()
}

fn say(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let micros = |at: usize| times[at].as_secs_f64() * 1e6;
    println!("{name} {} {}", micros(times.len() / 2), micros(times.len() * 99 / 100));
}

fn measure(prefix: &str, odin: &Odin, mut call: impl FnMut(u32)) {
    let (short, long) = (Duration::from_millis(2), Duration::from_millis(20));
    say(&format!("{prefix}row"), in_a_row(odin, &mut call));
    say(&format!("{prefix}work2"), each_after(&mut call, work, short, 500));
    say(&format!("{prefix}work20"), each_after(&mut call, work, long, 200));
    say(&format!("{prefix}sleep2"), each_after(&mut call, std::thread::sleep, short, 500));
}

fn main() {
    let port = std::env::args().nth(2).expect("a port");
    let odin = Odin::setup("bench.yml");
    measure("", &odin, |number| odin.watch("price", f64::from(number) + 0.5));
    let mut kept = Vec::new();
    measure("line_", &odin, |number| kept.push(line(number)));
    say("post", each_after(|number| post(&port, number), std::thread::sleep, Duration::ZERO, 500));
}
